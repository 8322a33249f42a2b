"""Rows of checkpoints, and failures while counting."""

from types import SimpleNamespace

import numpy as np
import pytest

from allocsim import Heap
from allocsim.errors import EnvironmentLacks
from tests.driving import free, malloc, stream
from tests.equality import checkpoints
from tests.equality.checkpoints import COUNTERS, quiet_run, replay_all, row


def test_row_holds_every_counter_and_the_places_of_objects(tcmalloc_heap: Heap) -> None:
    events = stream(malloc(0, 100), malloc(1, 300_000), malloc(2, 8), free(0))
    run = quiet_run(events)
    replay_all(tcmalloc_heap.state, run, events)
    first = int(tcmalloc_heap.memory.address)
    found = row(4, tcmalloc_heap.native_counters(), run, first)
    assert len(found) == len(COUNTERS) + 2
    assert (found[0], found[1]) == (4, 1 << 20)
    places = [int(run.objects.address[number]) - first for number in (1, 2)]
    assert found[-1] == places[0] * 3 + places[1] * 5
    assert row(4, tcmalloc_heap.native_counters(), run, first + 1)[-1] == found[-1] - 8


def test_run_has_a_row_for_every_object() -> None:
    assert len(quiet_run(stream(malloc(7, 1), malloc(3, 1))).objects) == 8
    assert len(quiet_run(stream()).objects) == 1


def test_event_that_fails_is_an_error(small_tcmalloc_heap: Heap) -> None:
    events = stream(malloc(0, 100), malloc(1, 8 << 20))
    with pytest.raises(RuntimeError, match=r"stopped for .* after 1 events"):
        replay_all(small_tcmalloc_heap.state, quiet_run(events), events)


def test_library_without_properties_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(path="/lib/silent.so", address=lambda _: 0)
    monkeypatch.setattr(checkpoints, "load", lambda _: silent)
    monkeypatch.setattr(checkpoints, "replay", lambda *_: 0)
    with pytest.raises(EnvironmentLacks, match=r"/lib/silent\.so reports no properties"):
        checkpoints._count(stream(malloc(0, 1)), 10)


def test_row_has_integer_fields() -> None:
    names = ("event", *COUNTERS, "places")
    assert checkpoints.ROW.names == names
    assert {checkpoints.ROW[name] for name in names} == {np.dtype(np.int64)}
