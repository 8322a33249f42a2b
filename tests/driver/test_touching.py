"""The replay kernel writes exactly the bytes that a Touch selects, or the whole fill pattern."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.records import HeapState
from allocsim.driver import Stop, Touch
from allocsim.driver_writes import TOUCHED
from allocsim.events import Op
from allocsim.fill_pattern import has_pattern
from tests.conftest import PAGE, contents
from tests.driving import Call, free, malloc, new_run, play, realloc, stream


def touched(touch: Touch, length: int) -> list[int]:
    """Return the offsets that a Touch writes in an object at the start of a page."""
    promised = {
        Touch.NONE: [],
        Touch.FIRST: [0],
        Touch.PAGE: list(range(0, length, PAGE)),
        Touch.FULL: list(range(length)),
    }[touch]
    return promised if length else []


LENGTHS = [0, 1, 8, 100, 4095, 4096, 4097, 32768, 40_000]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("touch", Touch, ids=lambda touch: touch.name)
def test_exactly_the_promised_bytes_are_touched(
    heap: Heap, fresh: HeapState, touch: Touch, length: int
) -> None:
    run = new_run(touch=touch)
    play(fresh, run, stream(malloc(0, length), malloc(1, 1)))
    assert run.objects[0].address % PAGE == 0
    address = int(run.objects[0].address)
    written = contents(heap, address, operations.usable_size(fresh, address))
    assert np.flatnonzero(written).tolist() == touched(touch, length)
    assert set(written[written != 0].tolist()) <= {TOUCHED}
    assert heap.check() == [], "bytes after the object were written"


@pytest.mark.parametrize(("share", "pages"), [(0, 16), (16, 15), (128, 8), (255, 1)])
@pytest.mark.parametrize("op", [Op.MALLOC, Op.CALLOC])
def test_untouched_share_at_the_end_of_an_object_is_not_written(
    heap: Heap, fresh: HeapState, op: Op, share: int, pages: int
) -> None:
    run, events = new_run(touch=Touch.PAGE), stream(Call(op, 0, 16 * PAGE))
    events.alignment = share
    play(fresh, run, events)
    written = contents(heap, int(run.objects[0].address), 16 * PAGE)
    assert np.flatnonzero(written).tolist() == list(range(0, pages * PAGE, PAGE))


@pytest.mark.parametrize("op", [Op.MALLOC, Op.CALLOC, Op.MEMALIGN])
def test_fresh_object_of_every_kind_is_touched(heap: Heap, fresh: HeapState, op: Op) -> None:
    run = new_run(touch=Touch.FULL)
    play(fresh, run, stream(Call(op, 0, 50)))
    assert contents(heap, int(run.objects[0].address), 50).tolist() == [TOUCHED] * 50


@pytest.mark.parametrize("touch", Touch, ids=lambda touch: touch.name)
def test_resized_object_keeps_its_bytes_and_is_touched(
    heap: Heap, fresh: HeapState, touch: Touch
) -> None:
    run = new_run(touch=touch)
    play(fresh, run, stream(malloc(0, 100)))
    contents(heap, int(run.objects[0].address), 100)[:] = 5
    play(fresh, run, stream(realloc(0, 40_000)))
    expected = np.array([5] * 100 + [0] * 39_900)
    expected[touched(touch, 40_000)] = TOUCHED
    assert contents(heap, int(run.objects[0].address), 40_000).tolist() == expected.tolist()


def test_object_across_a_page_border_is_touched_in_each_of_its_pages(
    heap: Heap, fresh: HeapState
) -> None:
    run = new_run(touch=Touch.PAGE)
    play(fresh, run, stream(malloc(0, 3584), malloc(1, 3584)))
    assert run.objects[1].address % PAGE == 3584
    written = contents(heap, heap.memory.address, 2 * PAGE)
    assert written[3584:PAGE].any()
    assert written[PAGE : 3584 * 2].any()


@pytest.mark.parametrize("length", LENGTHS)
def test_verified_object_is_filled_with_its_pattern(
    heap: Heap, fresh: HeapState, length: int
) -> None:
    run = new_run(verify=1, touch=Touch.FIRST, zeroed=1)
    play(fresh, run, stream(malloc(6, length)))
    assert has_pattern(int(run.objects[6].address), length, 6)
    play(fresh, run, stream(realloc(6, 2 * length)))
    assert has_pattern(int(run.objects[6].address), 2 * length, 6)
    assert play(fresh, run, stream(free(6))) == (1, Stop.END)
