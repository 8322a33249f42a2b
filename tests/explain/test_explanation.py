"""Explanations of designs: experiments are measured, and sentences have their conditions."""

from functools import partial

import pytest

from allocsim.driver import Touch
from allocsim.errors import InputError
from allocsim.events import Trace, no_events
from allocsim.explain.explanation import Explanation, Question, explain
from allocsim.explain.on_design import OnDesign
from allocsim.explain.owners import Owner
from allocsim.explain.sentences import sentences
from allocsim.explain.what_if import WhatIf
from tests.explain.patterns import two_owners
from tests.playing import trace_of

MIB = 1 << 20


def opened(count: int) -> Trace:
    """Open the workload of two owners."""
    return trace_of(two_owners(count))


def explained(design: str, question: Question, count: int = 200) -> Explanation:
    """Return the explanation of two owners on a design."""
    subject = OnDesign(design, partial(opened, count), Touch.NONE, reserve=1 << 30)
    return explain(subject, question)[0]


@pytest.mark.parametrize("design", ["tcmalloc", "glibc"])
def test_every_grouping_has_all_objects_and_the_whole_footprint(design: str) -> None:
    found = explained(design, Question("end", ("size", "thread", "age", "lifetime"), seconds=0))
    assert found.moment.live == 200 * (10 + 100)
    for by in ("size", "thread", "age", "lifetime"):
        rows = [owner for owner in found.owners if owner.by == by]
        assert sum(owner.objects for owner in rows) == 110
        owned = sum(owner.owned for owner in rows)
        assert owned + sum(found.nobody.values()) == found.moment.footprint
    assert sum(found.parts.values()) == found.moment.footprint


def test_experiments_are_replays_of_the_group_and_of_the_rest() -> None:
    found = explained("tcmalloc", Question("end", by=("size",), seconds=1e6))
    by_kind = {each.kind: each for each in found.what_ifs}
    assert list(by_kind) == ["release", "freed", "never", "own heap"]
    start = OnDesign("tcmalloc", lambda: trace_of(no_events())).moments()[3].footprint
    # All objects are of this group: without them the heap is empty, and alone it is as it was.
    assert by_kind["never"].footprint == start
    assert by_kind["own heap"].change == 0
    assert by_kind["freed"].footprint <= by_kind["release"].footprint
    for each in found.what_ifs:
        assert each.change == each.footprint - found.moment.footprint


def test_experiments_stop_after_their_time_and_that_is_said() -> None:
    found = explained("tcmalloc", Question(by=("size",), seconds=1e-9))
    assert not found.what_ifs
    assert "3 experiments were left out" in found.cautions[0]


def test_unknown_group_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown group '7 B'"):
        explained("tcmalloc", Question(what_if=("7 B",), seconds=1e6))


def test_workload_without_events_is_an_error() -> None:
    with pytest.raises(InputError, match="no events"):
        explain(OnDesign("tcmalloc", lambda: trace_of(no_events())), Question())


def owner(**figures: int) -> Owner:
    """Return a group of 10 objects."""
    names = ("live", "rounding", "pinned", "owned", "only", "some", "untouched")
    return Owner("size", "208 B", 10, **(dict.fromkeys(names, 0) | figures))


def what_if(kind: str, change: int) -> WhatIf:
    """Return an experiment on a footprint of 100 MiB."""
    return WhatIf(kind, "208 B", "X", 100 * MIB + change, change, "replayed")


@pytest.mark.parametrize(
    ("parts", "owners", "what_ifs", "said"),
    [
        ({}, [], [what_if("release", -10 * MIB)], "would give back 10.0 MiB of 100.0 MiB"),
        ({}, [], [what_if("release", -9 * MIB)], "Nothing to gain"),
        ({}, [owner(pinned=20 * MIB)], [what_if("own heap", -15 * MIB)], "85.0 MiB instead of"),
        ({}, [owner(pinned=60 * MIB)], [what_if("own heap", -15 * MIB)], "does not explain"),
        ({}, [owner(pinned=20 * MIB)], [what_if("own heap", -9 * MIB)], "Nothing to gain"),
        ({}, [owner(pinned=20 * MIB)], [], "Nothing to gain"),
        ({"caches": 20 * MIB}, [], [], "Free objects in caches hold 20.0 MiB"),
        ({"metadata": 15 * MIB, "start": 5 * MIB}, [], [], "The heap is small: 20.0 MiB"),
        ({}, [owner(rounding=5 * MIB, live=1000)], [], "Requests of 100 bytes on average"),
    ],
)
def test_sentence_is_said_under_its_condition(
    parts: dict[str, int], owners: list[Owner], what_ifs: list[WhatIf], said: str
) -> None:
    (sentence,) = sentences(100 * MIB, parts, owners, what_ifs)
    assert said in sentence
    assert "leak" not in sentence
