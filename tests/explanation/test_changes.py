"""Changes between two explanations: how owners are matched, and the sentences."""

from dataclasses import replace

import pytest

from allocsim.errors import UnknownName
from allocsim.explanation.change_sentences import change_sentences
from allocsim.explanation.changes import (
    Changes,
    changes_of,
    matched,
    names_in_both,
    paired_what_ifs,
    require_groups,
    same_moment,
)
from allocsim.explanation.explanation import Explanation
from allocsim.explanation.owners import Owner
from allocsim.explanation.what_if import WhatIf
from allocsim.moments import Moment, Share
from allocsim.reports.changes_screen import print_changes
from allocsim.reports.explanation_screen import ROWS

MIB = 1 << 20


def owner(name: str, owned: int, by: str = "site") -> Owner:
    """Return an owner of some MiB, of which 1 MiB is live."""
    return Owner(by, name, 10, MIB, 0, (owned - 1) * MIB, owned * MIB, 0, 0, 0)


def explained(*owners: Owner, events: int = 1000, at: int = 1000, peak: int = 0) -> Explanation:
    """Return an explanation whose footprint is that of its owners."""
    size = sum(each.owned for each in owners if each.by == owners[0].by)
    moments = (
        Moment("peak", 500, size + peak * MIB, size),
        Moment("live-peak", 400, size, size),
        Moment("worst", at, size, MIB),
        Moment("end", events, size, MIB),
        Moment("mean", None, size, MIB),
    )
    return Explanation(
        "lib:glibc", "page", moments, moments[2], {"live": size}, [*owners], {}, [], [], []
    )


def names(found: Changes) -> list[tuple[str, int]]:
    """Return the name of each owner and its change in MiB."""
    return [(change.name, change.owned // MIB) for change in found.owners]


def test_owners_with_the_same_name_are_the_same_and_the_largest_change_is_first() -> None:
    before = explained(owner("f a.c:1", 5), owner("g a.c:2", 9), owner("h a.c:3", 4))
    after = explained(owner("f a.c:1", 7), owner("g a.c:2", 2), owner("k b.c:3", 3))
    found = changes_of(before, after)
    assert names(found) == [("g a.c:2", -7), ("h a.c:3", -4), ("k b.c:3", 3), ("f a.c:1", 2)]
    assert found.owners[0].figures("pinned") == (8 * MIB, MIB)
    assert found.owners[1].after is None
    assert found.owners[2].before is None


def test_site_whose_line_moved_is_the_same() -> None:
    before, after = explained(owner("f a.c:1", 5)), explained(owner("f a.c:9", 4))
    assert names(changes_of(before, after)) == [("f a.c:1 -> 9", -1)]


def test_function_with_several_sites_is_not_matched_by_its_name() -> None:
    before = explained(owner("f a.c:1", 5), owner("f a.c:2", 3))
    after = explained(owner("f a.c:9", 4))
    assert names(changes_of(before, after)) == [
        ("f a.c:1", -5), ("f a.c:9", 4), ("f a.c:2", -3)
    ]  # fmt: skip


def test_site_in_another_file_is_another_one() -> None:
    before, after = explained(owner("f a.c:1", 5)), explained(owner("f b.c:1", 5))
    assert len(changes_of(before, after).owners) == 2


def test_grouping_that_only_one_has_is_left_out() -> None:
    before = explained(owner("f", 5), owner("8 B", 5, "size"))
    after = explained(owner("8 B", 4, "size"), owner("short", 4, "lifetime"))
    assert names(changes_of(before, after)) == [("8 B", -1)]


@pytest.mark.parametrize(
    ("at", "expected"), [(1000, "end"), (500, "peak"), (400, "live-peak"), (250, Share(0.25))]
)
def test_second_workload_is_compared_at_the_same_moment(at: int, expected: str | Share) -> None:
    assert same_moment(explained(owner("f", 5)).moments, at) == expected


@pytest.mark.parametrize(("more", "said"), [(1, "1 other "), (2, "2 others ")])
def test_owners_beyond_the_table_are_counted_in_one_row(
    capsys: pytest.CaptureFixture[str], more: int, said: str
) -> None:
    owners = [owner(f"f a.c:{line}", 5) for line in range(ROWS + more)]
    print_changes(changes_of(explained(*owners), explained(*owners)), "a", "b")
    assert said in capsys.readouterr().out


def experiment(kind: str, group: str, what: str) -> WhatIf:
    """Return an experiment."""
    return WhatIf(kind, group, what, MIB, -MIB, "replayed")


def test_experiments_with_the_same_group_or_setting_are_pairs() -> None:
    before, after = explained(owner("f a.c:1", 5)), explained(owner("f a.c:9", 4))
    olds = [experiment("never", "f a.c:1", "old"), experiment("setting", "", "x=0")]
    news = [experiment("setting", "", "x=0"), experiment("never", "f a.c:9", "new"),
            experiment("own heap", "f a.c:9", "apart")]  # fmt: skip
    changes = changes_of(replace(before, what_ifs=olds), replace(after, what_ifs=news))
    assert paired_what_ifs(changes) == [(olds[0], news[1]), (olds[1], news[0]), (None, news[2])]


def test_name_of_a_site_whose_line_moved_means_both_lines() -> None:
    before, after = [owner("f a.c:1", 5)], [owner("f a.c:9", 4)]
    (change,) = matched(before, after)
    assert names_in_both(change.name) == ("f a.c:1", "f a.c:9")
    assert names_in_both("16 B") == ("16 B", "16 B")
    assert names_in_both("call<fn() -> u32> a.rs:1") == ("call<fn() -> u32> a.rs:1",) * 2
    moved = ("call<fn() -> u32> a.rs:1", "call<fn() -> u32> a.rs:9")
    assert names_in_both("call<fn() -> u32> a.rs:1 -> 9") == moved
    require_groups(before, after, [change.name, "f a.c:1", "f a.c:9"])
    with pytest.raises(UnknownName, match=r"f a\.c:2"):
        require_groups(before, after, ["f a.c:2"])


def test_sentences_state_the_change_and_its_owner() -> None:
    before = explained(owner("f a.c:1", 40), owner("g a.c:2", 6))
    after = explained(owner("f a.c:1", 10), owner("g a.c:2", 6), peak=1)
    assert change_sentences(changes_of(before, after)) == [
        "The footprint shrank by 30.0 MiB: 46.0 MiB before, 16.0 MiB after (-65.2%, live bytes "
        "+0 B).",
        "'f a.c:1' owns 30.0 MiB less: live +0 B, pinned -30.0 MiB.",
        "The peak shrank by 29.0 MiB: 46.0 MiB before, 17.0 MiB after (-63.0%, live bytes "
        "-30.0 MiB).",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("f a.c:1", "f a.c:1", "The footprint grew by 30.0 MiB"),
        ("f a.c:1", "g a.c:1", "'g a.c:1' is new and owns 40.0 MiB."),
        ("f a.c:1", "g a.c:1", "'f a.c:1' owns nothing any more; it owned 10.0 MiB."),
    ],
)
def test_owner_that_came_or_went_is_named(old: str, new: str, said: str) -> None:
    found = changes_of(explained(owner(old, 10)), explained(owner(new, 40)))
    assert any(sentence.startswith(said) for sentence in change_sentences(found))


def test_small_change_is_noise_and_names_no_owner() -> None:
    before = explained(owner("f", 100))
    after = replace(before, moment=replace(before.moment, footprint=101 * MIB))
    first, second = change_sentences(changes_of(before, after))
    assert first.startswith("The footprint is the same within noise: 100.0 MiB before")
    assert second.startswith("The peak is the same within noise")


def test_other_length_of_the_workload_is_stated() -> None:
    found = changes_of(explained(owner("f", 5)), explained(owner("f", 5), events=1100))
    assert "The workloads have 1,000 and 1,100 events." in change_sentences(found)[-1]
    found = changes_of(explained(owner("f", 5)), explained(owner("f", 5), events=1020))
    assert "events" not in " ".join(change_sentences(found))
