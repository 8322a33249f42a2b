"""The grid: every subject with every combination of its settings."""

import tracemalloc

import pytest

from allocsim.errors import InputError
from allocsim.sweep.axis import Axis, list_axis, range_axis
from allocsim.sweep.grid import make_subjects


def names(subjects: list[str], *axes: Axis) -> list[str]:
    made = make_subjects(subjects, axes)
    found = list(made)
    assert len(made) == len(found)
    return found


def test_axis_applies_to_every_allocator_that_has_the_setting() -> None:
    assert names(["go2008", "tcmalloc", "lib:tcmalloc"], list_axis("release_rate=0,1")) == [
        "go2008",
        *("tcmalloc:release_rate=0", "tcmalloc:release_rate=1"),
        *("lib:tcmalloc:release_rate=0", "lib:tcmalloc:release_rate=1"),
    ]


def test_axis_of_a_subject_applies_to_no_other() -> None:
    assert names(["tcmalloc", "lib:tcmalloc"], list_axis("lib:tcmalloc:release_rate=5")) == [
        "tcmalloc",
        "lib:tcmalloc:release_rate=5",
    ]


def test_axes_are_combined_and_the_last_changes_fastest() -> None:
    axes = [list_axis("mxfast=0,64"), range_axis("tcache_count=0:1")]
    assert names(["glibc:startup=linked"], *axes) == [
        "glibc:startup=linked:mxfast=0:tcache_count=0",
        "glibc:startup=linked:mxfast=0:tcache_count=1",
        "glibc:startup=linked:mxfast=64:tcache_count=0",
        "glibc:startup=linked:mxfast=64:tcache_count=1",
    ]  # fmt: skip


def test_default_leaves_the_setting_out() -> None:
    assert names(["glibc"], list_axis("mxfast=default,0")) == ["glibc", "glibc:mxfast=0"]


def test_subject_without_the_setting_is_noted() -> None:
    subjects = make_subjects(["go2008", "tcmalloc"], [list_axis("release_rate=0,1")])
    assert subjects.notes() == ["go2008 has no setting release_rate"]


@pytest.mark.parametrize(
    ("subject", "option", "message"),
    [
        ("tcmalloc", "relase_rate=0", "unknown setting 'relase_rate'.*did you mean 'release_rate'"),
        ("tcmalloc", "glibc:mxfast=0", "'glibc:mxfast' applies to no subject of the sweep"),
        ("tcmalloc", "tcmalloc:mxfast=0", "unknown parameter of the design tcmalloc 'mxfast'"),
        ("tcmalloc", "release_rate=0,1001", "release_rate=1001: expected 0 to 1,000"),
        (
            "tcmalloc:release_rate=1",
            "release_rate=0",
            "setting release_rate of tcmalloc:release_rate=1 is given twice",
        ),
        ("lib:glibc", "arena_max=0", "arena_max=0: expected a number of at least 1"),
        ("lib:glibc", "arena_max=a/b", "cannot contain a slash"),
    ],
)
def test_invalid_setting_is_an_error_before_the_first_cell(
    subject: str, option: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_subjects([subject], [list_axis(option)])


def test_two_axes_of_one_setting_are_an_error() -> None:
    axes = [list_axis("release_rate=0"), range_axis("tcmalloc:release_rate=1:2")]
    with pytest.raises(InputError, match="release_rate of tcmalloc is given twice"):
        make_subjects(["tcmalloc"], axes)


def test_grid_of_a_million_takes_no_memory() -> None:
    axes = [Axis(key, [str(n) for n in range(100)]) for key in ("mxfast", "tcache_count", "cores")]
    subjects = make_subjects(["glibc"], [])
    subjects.axes["glibc"] = axes
    assert len(subjects) == 1_000_000
    tracemalloc.start()
    try:
        count = sum(1 for _, _ in zip(subjects, range(20_000), strict=False))
        assert count == 20_000
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
