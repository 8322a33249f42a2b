"""The recorder finds out how much of a large block is touched."""

import numpy as np

from allocsim.core.memory import OS_PAGE
from allocsim.events import Op
from allocsim.traces.event_facts import UNTOUCHED, fact_of
from allocsim.traces.preload.untouched import UntouchedBlocks
from tests.recorders.preload.running import Chain

SLACK = 2 * OS_PAGE
"""Tolerance in bytes: a block may begin inside a page, after the library's own bytes."""


def test_untouched_parts_of_large_blocks_are_recorded(chain: Chain, program: str) -> None:
    recorded = chain(program, "touches")
    trace = recorded.trace(recorded.images[0])
    events = np.concatenate([chunk.copy() for chunk in trace.chunks])
    facts = fact_of(trace, UNTOUCHED)
    assert facts is not None
    expected = [(Op.CALLOC, 8, 1), (Op.MALLOC, 4, 0), (Op.REALLOC, 16, 2)]
    assert len(facts) == len(expected)
    for (row, touched), (op, size, written) in zip(facts.tolist(), expected, strict=True):
        assert (events["op"][row], events["request"][row]) == (op, size << 20)
        assert written << 20 <= touched <= (written << 20) + SLACK
    assert int(events["op"].max()) <= Op.THREAD_DONE


def test_large_block_among_small_ones_is_recorded(chain: Chain, program: str) -> None:
    recorded = chain(program, "touches_heap")
    trace = recorded.trace(recorded.images[0])
    list(trace.chunks)
    facts = fact_of(trace, UNTOUCHED)
    assert facts is not None
    assert [touched >> 20 for _, touched in facts.tolist()] == [1]


def test_forked_child_has_no_notes_of_its_parent(chain: Chain, program: str) -> None:
    recorded = chain(program, "forks")
    for image in recorded.images:
        for chunk in recorded.trace(image).chunks:
            assert int(chunk.op.max()) <= Op.THREAD_DONE


def test_room_in_the_header_suffices() -> None:
    largest = (1 << 40, 1 << 47)
    assert len(str(list(largest))) + 1 <= UntouchedBlocks.MAX_TEXT // UntouchedBlocks.MAX_BLOCKS
