"""Stamps order the calls of a thread, and the calls of two threads on one object.

The bare result of rdtsc is no stamp, because it may be too early (see `stamp.c`). When frees were
stamped with that result, up to 1,188 of the 30,000 frees of `hands_over` were stamped before their
allocations (AMD EPYC, in three of six runs).

A lane is a file of records that one thread at a time writes (see `traces.preload.layout`).
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from allocsim.traces.preload.lane_files import lane_words
from allocsim.traces.preload.layout import CHUNK, CODE, SHORT, SLACK, Code
from allocsim.traces.preload.record_fields import words_of
from tests.recorders.preload.running import Chain

_ADDRESS = (1 << 48) - 1

Record = tuple[int, int, int]
"""Stamp, code, and the next word, which is the address of an object."""


def records_of(lane: Path) -> Iterator[Record]:
    """Yield the records of a lane, in the order in which they were written."""
    files = lane_words(lane)
    words, position, base = [*files.chunks.tolist(), *files.window.tolist()], 0, (0, 0)
    while position < len(words):
        if position % (CHUNK // 8) >= (CHUNK - SLACK) // 8:
            position += SLACK // 8
            continue
        head = words[position]
        code, stamp = head & CODE, head >> 8
        if head & SHORT:
            stamp, address = base[0] + (head >> 6) % 2**16, base[1] + 16 * ((head >> 22) % 2**28)
            yield stamp, code, address
        elif code == Code.BASE:
            base = stamp, words[position + 1]
        elif head != 0:
            assert code != Code.UNWRITTEN
            yield stamp, code, words[position + 1] & _ADDRESS
        position += words_of(head) if head else 1


@pytest.mark.parametrize("tsc", [True, False], ids=["tsc", "ns"])
def test_calls_of_two_threads_are_in_order(chain: Chain, program: str, tsc: bool) -> None:
    """The records of each thread are in order, and each object is allocated before it is freed."""
    alone = Chain(chain.recorder, None, chain.place)
    (image,) = alone(program, "hands_over", tsc=tsc).images
    lanes = [[*records_of(lane)] for lane in image.lanes]
    assert min(map(len, lanes)) >= 30_000
    for records in lanes:
        assert not [pair for pair in pairwise(records) if pair[1][0] < pair[0][0]]
    live: set[int] = set()
    early = 0
    for _, code, address in sorted(record for records in lanes for record in records):
        if code in (Code.MALLOC, Code.CALLOC):
            early += address in live
            live.add(address)
        elif code == Code.FREE and address:
            early += address not in live
            live.discard(address)
    assert early == 0
