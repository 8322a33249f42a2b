"""Calls of other processes: dropped, and counted for each process up to a limit."""

import numpy as np

from allocsim.events import Op, no_events
from allocsim.traces import object_ids
from allocsim.traces.calls import no_calls
from allocsim.traces.object_ids import assign_ids, new_object_ids
from allocsim.traces.reasons import Reason
from tests.traces.recordings import rows_of
from tests.traces.test_object_ids import A, B, M, batch, identified, malloc


def test_calls_of_other_processes_are_counted_for_each() -> None:
    calls = [malloc(A, process=5)] + [malloc(B, process=p) for p in (6, 0, 6, 10**18 - 1)]
    _, dropped, known = identified(*calls)
    taken = known.processes[known.processes.key != 0]
    assert {row.key - 1: row.number for row in taken} == {6: 2, 0: 1, 10**18 - 1: 1}
    assert (dropped, known.state[0].process) == ({"other process": 4}, 5)


def test_further_processes_are_counted_in_total() -> None:
    limit = object_ids.MAX_PROCESSES
    known, events = new_object_ids(), no_events(64)
    calls = no_calls(2 * limit)
    calls.op, calls.address, calls.process = Op.MALLOC, A, np.arange(2 * limit)
    assert assign_ids(known, calls, 0, events) == 2 * limit
    assert known.state[0].processes == limit
    assert known.dropped[Reason.OTHER_PROCESS] == 2 * limit - 1


def test_chosen_process_is_used_wherever_it_begins() -> None:
    known, events = new_object_ids(process=8), no_events(64)
    assign_ids(known, batch([malloc(A, process=5), malloc(B, 3, process=8)]), 0, events)
    assert rows_of(events[: known.state[0].events]) == [(M, 3, 0, 0, 0)]
