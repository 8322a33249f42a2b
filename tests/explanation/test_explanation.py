"""Explanations of designs: the experiments, and when each sentence is printed."""

from functools import partial

import pytest

from allocsim.benchmark.comparison import Conditions
from allocsim.call_sites.table import table_of_addresses
from allocsim.core.jit import PURE
from allocsim.driver import Touch
from allocsim.errors import InputError, LimitExceeded, UnknownName
from allocsim.events import Trace, no_events
from allocsim.explanation.explanation import Explanation, explain
from allocsim.explanation.on_design import OnDesign
from allocsim.explanation.owners import Owner
from allocsim.explanation.question import Question
from allocsim.explanation.sentences import sentences
from allocsim.explanation.variants import Variant
from allocsim.explanation.what_if import WhatIf
from tests.call_sites.stacks import FRAMES, with_sites
from tests.driving import free, malloc, stream_of
from tests.explanation.patterns import two_owners
from tests.playing import trace_of

MIB = 1 << 20

COUNT = 60 if PURE else 200
"""Objects of each owner."""


def opened(count: int) -> Trace:
    """Open the workload of two owners."""
    return trace_of(two_owners(count))


def explained(design: str, question: Question, count: int = COUNT) -> Explanation:
    """Return the explanation of two owners on a design."""
    subject = OnDesign(
        design, partial(opened, count), Conditions(touch=Touch.NONE, reserve=1 << 30)
    )
    return explain(subject, question)[0]


@pytest.mark.parametrize("design", ["tcmalloc", "glibc"])
def test_every_grouping_has_all_objects_and_the_whole_footprint(design: str) -> None:
    found = explained(design, Question("end", ("size", "thread", "age", "lifetime"), seconds=0))
    assert found.moment.live == 200 * (COUNT // 20 + COUNT // 2)
    for by in ("size", "thread", "age", "lifetime"):
        rows = [owner for owner in found.owners if owner.by == by]
        assert sum(owner.objects for owner in rows) == COUNT // 20 + COUNT // 2
        owned = sum(owner.owned for owner in rows)
        assert owned + sum(found.unowned.values()) == found.moment.footprint
    assert sum(found.parts.values()) == found.moment.footprint


@pytest.mark.parametrize(
    ("design", "unit"), [("glibc:arena_max=1", "page"), ("go2008", "span"), ("tcmalloc", "span")]
)
def test_unit_is_that_of_the_designs_map(design: str, unit: str) -> None:
    assert OnDesign(design, partial(opened, 1)).unit == unit


def test_unknown_grouping_is_an_error() -> None:
    with pytest.raises(UnknownName, match="unknown grouping 'colour'"):
        explained("go2008", Question("end", by=("colour",)))


def test_experiments_are_replays_of_the_group_and_of_the_rest() -> None:
    found = explained("tcmalloc", Question("end", by=("size",), seconds=1e6))
    by_kind = {each.kind: each for each in found.what_ifs}
    assert list(by_kind) == ["release", "freed", "never", "own heap", "setting"]
    assert found.top is None  # spans are released one by one
    (group,) = {each.group for each in found.what_ifs if each.group}
    assert [each.what for each in found.what_ifs if each.kind != "setting"] == [
        "release free memory",
        f"free '{group}', then release free memory",
        f"never allocate '{group}'",
        f"put '{group}' in a separate heap",
    ]
    assert [each.what for each in found.what_ifs if each.kind == "setting"] == [
        "aggressive_decommit=1, transfer_num_obj=2, max_total_thread_cache_bytes=524288",
        "aggressive_decommit=1",
        "transfer_num_obj=2",
        "max_total_thread_cache_bytes=524288",
    ]
    start = OnDesign("tcmalloc", lambda: trace_of(no_events())).moments()[3].footprint
    # All objects are in this group: without the group, the heap is empty; a separate heap for the
    # group has the same footprint.
    assert by_kind["never"].footprint == start
    assert by_kind["own heap"].change == 0
    assert by_kind["freed"].footprint <= by_kind["release"].footprint
    for each in found.what_ifs:
        assert each.change == each.footprint - found.moment.footprint


@pytest.mark.slow
def test_replay_without_a_group_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    replays, replay = list[int](), OnDesign.footprint_of

    def counted(self: OnDesign, part: Variant) -> int:
        """Count the replay, then make it."""
        replays.append(1)
        return replay(self, part)

    monkeypatch.setattr(OnDesign, "footprint_of", counted)
    found = explained("go2008", Question("end", by=("size",), seconds=1e6))
    assert [each.kind for each in found.what_ifs] == ["release", "freed", "never", "own heap"]
    assert len(replays) == 2  # one of the group, one of the other objects


def test_experiments_stop_after_their_time_and_that_is_stated() -> None:
    found = explained("tcmalloc", Question(by=("size",), seconds=1e-9))
    assert not found.what_ifs
    assert "7 experiments left out after" in found.cautions[0]


@pytest.mark.slow
def test_experiments_side_by_side_have_the_results_and_the_order_of_one_after_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    question = Question("end", by=("size",), seconds=1e6)
    one_by_one = explained("tcmalloc", question).what_ifs
    monkeypatch.setattr(OnDesign, "side_by_side", lambda _: 3)
    assert explained("tcmalloc", question).what_ifs == one_by_one
    left_out = explained("tcmalloc", Question(by=("size",), seconds=1e-9))
    assert "7 experiments left out after" in left_out.cautions[0]


def test_call_sites_are_the_groups_if_the_recording_has_them() -> None:
    table = table_of_addresses([0, 0, 0, 1], [0, 0, 1, 1], [[FRAMES[1]], [FRAMES[5]]])
    calls = [malloc(0, 8), malloc(1, 100), malloc(2, 8), free(0), malloc(3, 50)]

    def sited() -> Trace:
        """Return the calls as a trace with call sites."""
        return with_sites(calls, table, [1, 2, 3, 1])

    subject = OnDesign("tcmalloc", sited, Conditions(touch=Touch.NONE, reserve=1 << 30))
    found, _ = explain(subject, Question("end", ("site", "size"), seconds=1e6), sited)
    rows = {row.name: (row.objects, row.live) for row in found.owners if row.by == "site"}
    assert rows == {"serve app.cpp:19": (1, 50), "remember p.py:6": (2, 108)}
    with pytest.raises(InputError, match="no call sites"):
        explain(subject, Question("end", ("site",)), lambda: trace_of(stream_of(calls)))


def test_site_that_the_table_does_not_have_is_unknown() -> None:
    table = table_of_addresses([0, 0], [0, 1], [[FRAMES[0]], [FRAMES[1]]])

    def sited() -> Trace:
        """Return two allocations, the second at a site that is not in the table."""
        return with_sites([malloc(0, 50), malloc(1, 60)], table, [1, 9])

    subject = OnDesign("tcmalloc", sited, Conditions(touch=Touch.NONE, reserve=1 << 30))
    found, _ = explain(subject, Question("end", ("site",), seconds=1e6), sited)
    assert sorted(row.live for row in found.owners) == [50, 60]


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


def what_if(kind: str, change: int, what: str = "X") -> WhatIf:
    """Return an experiment on a footprint of 100 MiB."""
    return WhatIf(kind, "208 B", what, 100 * MIB + change, change, "replayed")


@pytest.mark.parametrize(
    ("parts", "owners", "what_ifs", "said"),
    [
        ({}, [], [what_if("release", -10 * MIB)], "would free 10.0 MiB of 100.0 MiB"),
        (
            {},
            [],
            [what_if("release", -10 * MIB, "release free memory")],
            "A release on request",
        ),
        ({}, [], [what_if("release", -10 * MIB, "malloc_trim(0)")], "malloc_trim(0) would free"),
        ({"live": 95 * MIB}, [], [what_if("release", -9 * MIB)], "Nothing to gain: of 100.0 MiB"),
        ({"live": 80 * MIB}, [], [what_if("release", -9 * MIB)], "None of 1 experiment saves"),
        ({}, [], [], "No experiments were made"),
        ({}, [owner(pinned=20 * MIB)], [what_if("own heap", -15 * MIB)], "85.0 MiB instead of"),
        ({}, [owner(pinned=60 * MIB)], [what_if("own heap", -15 * MIB)], "do not explain"),
        ({}, [owner(pinned=20 * MIB)], [what_if("own heap", -9 * MIB)], "None of 1"),
        (
            {},
            [owner(pinned=20 * MIB, owned=22 * MIB)],
            [what_if("never", -15 * MIB)],
            "Without this group, the footprint would be 85.0 MiB",
        ),
        ({}, [owner(pinned=20 * MIB)], [], "No experiments were made"),
        ({}, [], [what_if("setting", -9 * MIB), what_if("setting", -30 * MIB)], "70.0 MiB instead"),
        ({"caches": 20 * MIB}, [], [], "Spans that hold only cached free objects take 20.0 MiB."),
        ({"metadata": 15 * MIB, "start": 5 * MIB}, [], [], "The heap is small: 20.0 MiB"),
        ({}, [owner(rounding=5 * MIB, live=1000)], [], "serve requests of 100 bytes on average"),
    ],
)
def test_sentence_is_printed_under_its_condition(
    parts: dict[str, int], owners: list[Owner], what_ifs: list[WhatIf], said: str
) -> None:
    (sentence,) = sentences(100 * MIB, parts, owners, what_ifs)
    assert said in sentence
    assert "leak" not in sentence


@pytest.mark.parametrize(
    ("owned", "change", "said"),
    [
        (
            30,
            -14,
            "'208 B' owns 30.0 MiB, but without this group the footprint would be 14.0 MiB lower",
        ),
        (30, -61, "the footprint would be 61.0 MiB lower (replayed). The bytes that a group owns"),
        (30, 2, "the footprint would be 2.0 MiB higher"),
        (30, -16, None),
        (9, 0, None),
    ],
)
def test_share_that_the_replay_does_not_confirm_is_stated(
    owned: int, change: int, said: str | None
) -> None:
    given = [owner(owned=owned * MIB)], [what_if("never", change * MIB)]
    _, *found = sentences(100 * MIB, {"live": 100 * MIB}, *given)
    assert [said in sentence for sentence in found if said] == ([True] if said else [])
    assert len(found) == (said is not None)


@pytest.mark.slow
def test_groupings_and_groups_given_twice_count_once() -> None:
    question = Question("end", by=("size", "size"), what_if=("208 B", "208 B"), seconds=1e6)
    once = Question("end", by=("size",), what_if=("208 B",), seconds=1e6)
    assert explained("go2008", question) == explained("go2008", once)


@pytest.mark.slow
def test_experiment_that_fails_is_reported_and_the_others_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: OnDesign, part: Variant) -> int:
        """Fail like a replay whose footprint exceeds the limit."""
        raise LimitExceeded("the footprint exceeded the limit")

    question = Question("end", by=("size",), seconds=1e6)
    whole = explained("tcmalloc", question)
    monkeypatch.setattr(OnDesign, "footprint_of", refuse)
    found = explained("tcmalloc", question)
    assert found.cautions == ["an experiment failed: the footprint exceeded the limit"]
    kept = [each for each in whole.what_ifs if each.kind not in ("never", "own heap")]
    assert found.what_ifs == kept
