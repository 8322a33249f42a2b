"""UntouchedBlocks collects the large blocks of which a program has touched only a part.

A TOUCHED note says how many bytes of a block were touched. For each block, `pairs` returns this
number and the row of the event that allocated or last resized the block. A row is an event's
position in the trace.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from allocsim.events import Op
from allocsim.traces.calls import TOUCHED
from allocsim.traces.event_facts import LARGE
from allocsim.traces.preload.untouched import UntouchedBlocks
from tests.driving import Call, free, malloc, realloc, stream

NOTE = Op.RELEASE
"""The `op` of a note until `collected` sets it to TOUCHED, which is not an Op."""


def touched(number: int, size: int) -> Call:
    """Return a note that `size` bytes of the object `number` were touched."""
    return Call(NOTE, number, size)


def collected(*chunks: Sequence[Call], before: int = 0) -> tuple[UntouchedBlocks, list[Any]]:
    """Collect the notes of the chunks; return the blocks, and the chunks without the notes."""
    made = [stream(*calls) for calls in chunks]
    for chunk in made:
        chunk.op[chunk.op == NOTE] = TOUCHED
    blocks = UntouchedBlocks()
    return blocks, [*blocks.without_notes(iter(made), before)]


def test_row_is_that_of_the_allocation_without_notes() -> None:
    first = malloc(0, LARGE), touched(5, 1), malloc(1, 3 * LARGE), malloc(2, 8)
    second = touched(1, LARGE), free(1), malloc(1, 2 * LARGE), touched(1, 0), touched(0, 4096)
    blocks, chunks = collected(first, second, before=10)
    assert blocks.pairs() == [(10, 4096), (11, LARGE), (14, 0)]
    assert [len(chunk) for chunk in chunks] == [3, 2]
    assert not any(np.any(chunk.op == TOUCHED) for chunk in chunks)


def test_resized_block_has_two_rows() -> None:
    calls = malloc(0, LARGE), touched(0, 0), realloc(0, 2 * LARGE), touched(0, LARGE)
    assert collected(calls)[0].pairs() == [(0, 0), (1, LARGE)]


@pytest.mark.parametrize("size", [LARGE, LARGE - 4095, 5 * LARGE])
def test_block_that_was_touched_as_a_whole_has_no_pair(size: int) -> None:
    assert collected([malloc(0, LARGE), touched(0, size)])[0].pairs() == []


def test_blocks_with_the_most_untouched_bytes_are_kept() -> None:
    count = UntouchedBlocks.MAX_BLOCKS + 2
    sizes = [LARGE + 4096 * ((7 * index) % count) for index in range(count)]
    calls = [[malloc(0, size), touched(0, 0), free(0)] for size in sizes]
    blocks, _ = collected(*calls)
    kept = {2 * index for index, size in enumerate(sizes) if size > LARGE + 4096}
    assert {row for row, _ in blocks.pairs()} == kept
    assert blocks.notes(has_ended=True) == [
        "there are more large blocks touched only in part than the trace can list: "
        "2 of them count as touched in full"
    ]


def test_live_blocks_of_a_killed_program_are_unknown() -> None:
    blocks, _ = collected([malloc(0, LARGE), touched(0, 0), malloc(1, LARGE)])
    assert blocks.notes(has_ended=True) == []
    assert blocks.notes(has_ended=False) == [
        "the program was killed or called _exit, so large blocks that were live at the end "
        "count as touched in full"
    ]
    assert collected([malloc(0, 8)])[0].notes(has_ended=False) == []
