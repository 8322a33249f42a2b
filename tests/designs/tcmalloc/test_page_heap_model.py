"""The page heap agrees with a sorted list of runs over random calls."""

import random

import pytest

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.check_page_heap import spans_of
from allocsim.designs.tcmalloc.page_release import delete_run, new_run
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.span import MAX_PAGES
from tests.conftest import SCALE
from tests.designs.tcmalloc.lookup import FREE, unsound


class Runs:
    """A model of the page heap: a list of runs of pages, sorted by address.

    A run is [number of the first page, number of pages, time]. The time is the clock at which the
    run became free, or 0 if the run is in use.
    """

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.clock = 0

    def take(self, pages: int) -> int:
        """Allocate pages from the best fit; grow the heap if no run fits. Return the first page."""
        run = self.fit(pages)
        if run is None:
            self.grow(max(pages, 128))
            run = self.fit(pages)
        assert run is not None
        if run[1] > pages:
            self.clock += 1
            self.runs.insert(self.runs.index(run) + 1, [run[0] + pages, run[1] - pages, self.clock])
        run[1], run[2] = pages, 0
        return run[0]

    def fit(self, pages: int) -> list[int] | None:
        """Return the shortest free run of at least `pages` pages, or None if all are shorter.

        Of several runs of that length, return the one that became free last, or the one with the
        lowest address if the length exceeds MAX_PAGES.
        """
        fitting = [run for run in self.runs if run[2] and run[1] >= pages]
        return min(
            fitting, key=lambda r: (r[1], -r[2] if r[1] <= MAX_PAGES else r[0]), default=None
        )

    def grow(self, pages: int) -> None:
        """Add a run of free pages at the end of the heap."""
        end = sum(self.runs[-1][:2]) if self.runs else 0
        self.runs.append([end, pages, 0])
        self.give_back(end)

    def give_back(self, first: int) -> None:
        """Free a run and merge it with its neighbours."""
        place = next(n for n, run in enumerate(self.runs) if run[0] == first)
        self.clock += 1
        self.runs[place][2] = self.clock
        for left in (place, place - 1):
            if 0 <= left < len(self.runs) - 1 and self.runs[left][2] and self.runs[left + 1][2]:
                self.runs[left][1] += self.runs.pop(left + 1)[1]
                self.runs[left][2] = self.clock


@pytest.mark.parametrize("seed", range(3))
def test_random_runs_agree_with_a_sorted_list(
    tcmalloc_heap: Heap, tcmalloc: HeapState, seed: int
) -> None:
    rng, model, live = random.Random(seed), Runs(), list[int]()
    base = tcmalloc_heap.memory.address
    for _ in range(100 * SCALE):
        if live and rng.random() < 0.5:
            span = live.pop(rng.randrange(len(live)))
            model.give_back((int(tcmalloc.span[span].address) - base) // PAGE)
            delete_run(tcmalloc, span)
        else:
            pages = int(2 ** rng.uniform(0, 9))
            live.append(new_run(tcmalloc, pages))
            assert (tcmalloc.span[live[-1]].address - base) // PAGE == model.take(pages)
    found = [[(s.address - base) // PAGE, s.pages, s.state] for s in spans_of(tcmalloc).values()]
    expected = [[a, n, FREE if free else SpanState.IN_USE] for a, n, free in model.runs]
    assert found == expected
    assert unsound(tcmalloc_heap) == []
