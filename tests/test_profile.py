"""Snapshots and profiles: the parts of the heap (live, rounding, ...) must sum to the heap."""

import numpy as np
import pytest

from allocsim.core.records import PARTS, SAMPLE
from allocsim.errors import Corruption
from allocsim.profile import PART_MEANINGS, Profile, Snapshot, require_exact

FIGURES = {name: 10 * (number + 1) for number, name in enumerate(PARTS)}
"""The parts of a sample: 10 for live, 20 for rounding, ... 80 for released."""


def sample(**changed: int) -> np.recarray:
    """Return a sample whose parts add up, apart from the given changes."""
    row = np.zeros(1, SAMPLE).view(np.recarray)
    heap = sum(FIGURES.values())
    sums = {"event": 7, "heap": heap, "metadata": 5, "footprint": heap - 80 + 5}
    counts = {"spans_total": 9, "spans_in_use": 6, "spans_free": 3, "grows": 1, "splits": 2}
    for name, value in (FIGURES | sums | counts | {"coalesces": 3, "refills": 4} | changed).items():
        row[0][name] = value
    return row


def snapshot(**changed: int) -> Snapshot:
    """Return the snapshot of a sample with the given changes."""
    return Snapshot.of(sample(**changed)[0])


def profile(**given: float) -> Profile:
    """Return a profile that is empty apart from the given fields."""
    fields = {"events": 0, "seconds": 0.0, "peak_live": 0, "resident": 0} | given
    ends = {"at_peak": snapshot(), "at_end": snapshot()}
    return Profile(**ends, samples=sample(), classes=[], **fields)  # type: ignore[arg-type]


def test_snapshot_is_the_sample_by_name() -> None:
    taken = snapshot()
    assert taken.parts == FIGURES
    assert (taken.event, taken.heap, taken.metadata, taken.footprint) == (7, 360, 5, 285)
    assert taken.spans == {"total": 9, "in_use": 6, "free": 3}
    assert taken.counters == {"grows": 1, "splits": 2, "coalesces": 3, "refills": 4}
    assert taken.live == 10


def test_figures_of_a_snapshot_are_python_integers() -> None:
    taken = snapshot()
    figures = [*taken.parts.values(), *taken.spans.values(), *taken.counters.values()]
    assert {type(figure) for figure in [*figures, taken.event, taken.heap]} == {int}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("change", [-1, 1])
def test_part_that_is_off_by_one_is_corruption(part: str, change: int) -> None:
    wrong = FIGURES[part] + change
    with pytest.raises(Corruption, match=f"360 bytes after event 7.*{part} {wrong}"):
        snapshot(**{part: wrong})


@pytest.mark.parametrize("changed", [{"heap": 361}, {"metadata": 6}, {"footprint": 286}], ids=str)
def test_sum_that_is_off_by_one_is_corruption(changed: dict[str, int]) -> None:
    with pytest.raises(Corruption):
        snapshot(**changed)


def test_negative_part_is_named_though_the_sum_is_right() -> None:
    moved = {"rounding": -4, "tail": FIGURES["tail"] + FIGURES["rounding"] + 4}
    message = r"rounding \(allocated minus requested size\) is -4 bytes after event 7"
    with pytest.raises(Corruption, match=message):
        snapshot(**moved)


def test_footprint_that_is_wrong_is_named() -> None:
    with pytest.raises(Corruption, match="footprint"):
        snapshot(footprint=286)


def test_first_wrong_sample_of_many_is_named() -> None:
    rows = np.concatenate([sample(event=1), sample(event=2, live=9), sample(event=3, live=8)])
    with pytest.raises(Corruption, match="after event 2"):
        require_exact(rows)


def test_samples_that_add_up_are_accepted() -> None:
    require_exact(np.concatenate([sample(), sample(event=8)]))
    require_exact(np.zeros(0, SAMPLE))


def test_fragmentation_is_the_share_that_is_not_live() -> None:
    assert snapshot().fragmentation == pytest.approx(1 - 10 / 285)
    assert snapshot().overhead == pytest.approx(28.5)


def test_nothing_live_has_no_overhead() -> None:
    assert snapshot(live=0, heap=350, footprint=275).overhead is None
    assert snapshot(live=0, heap=350, footprint=275).fragmentation == 1.0


def test_empty_heap_has_no_fragmentation() -> None:
    empty = Snapshot.of(np.zeros(1, SAMPLE).view(np.recarray)[0])
    assert (empty.fragmentation, empty.overhead) == (0.0, None)


def test_json_has_the_promised_names() -> None:
    promised = ["event", "parts", "heap", "metadata", "footprint", "fragmentation", "overhead"]
    assert list(snapshot().as_json()) == promised
    assert list(snapshot().as_json()["parts"]) == list(PARTS)


def test_every_part_has_a_meaning() -> None:
    assert tuple(PART_MEANINGS) == PARTS


def test_rates_are_per_event() -> None:
    measured = profile(events=1000, seconds=0.5)
    assert measured.ns_per_event == pytest.approx(500_000)
    assert measured.events_per_second == pytest.approx(2000)


def test_rates_without_events_are_zero() -> None:
    assert (profile().ns_per_event, profile().events_per_second) == (0.0, 0.0)
