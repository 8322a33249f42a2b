"""The sentences about calls and processes that are missing from a recording."""

from types import SimpleNamespace
from typing import Any

from allocsim.traces.preload.account import _lost_children


def image(identity: int, parent: int, children: int = 0, is_lost: bool = True) -> Any:
    """Return the image of a process. `children` of its forked processes could not begin."""
    return SimpleNamespace(
        identity=identity,
        header={"parent": parent},
        lost={"full disk": 1} if is_lost else {},
        lost_children={"seccomp": children} if children else {},
        is_lost=is_lost,
    )


def test_processes_forked_by_lost_ones_are_lost_too() -> None:
    first, others = image(1, 0, is_lost=False), [image(2, 1), image(3, 2, children=4)]
    assert _lost_children(first, [first, *others]) == {"full disk": 2, "seccomp": 4}


def test_lost_processes_of_recorded_children_are_not_counted() -> None:
    first, recorded = image(1, 0, is_lost=False), image(2, 1, children=4, is_lost=False)
    assert not _lost_children(first, [first, recorded, image(3, 2)])


def test_damaged_parents_end() -> None:
    """Two processes that are each other's parent."""
    first, second = image(5, 6), image(6, 5)
    assert _lost_children(first, [first, second]) == {"full disk": 1}
