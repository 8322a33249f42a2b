"""Names of subjects, and the designs and libraries that they refer to."""

import pytest

from allocsim.benchmark.subject import (
    LIKE_LIBRARIES,
    design_of,
    library_of,
    make_subject,
    placeholder_state,
    require_subject,
    started_like,
)
from allocsim.errors import InputError, UnknownName
from tests.conftest import RESERVE


def test_prefix_distinguishes_libraries_from_designs() -> None:
    assert library_of("lib:glibc") == "glibc"
    assert library_of("lib:/a/libx.so:my_") == "/a/libx.so:my_"
    assert library_of("tcmalloc") is None


def test_settings_follow_the_design() -> None:
    assert design_of("tcmalloc:release_rate=10") == ("tcmalloc", {"release_rate": "10"})
    assert design_of("go2008") == ("go2008", {})


@pytest.mark.parametrize("name", ["go2008", "tcmalloc:release_rate=10", "lib:glibc", "lib:/a/x.so"])
def test_known_subject_is_accepted(name: str) -> None:
    require_subject(name)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("tcmaloc", UnknownName, "did you mean 'tcmalloc'"),
        ("lib:gemalloc", UnknownName, "did you mean 'jemalloc'"),
        ("tcmalloc:colour=red", InputError, "colour"),
    ],
)
def test_unknown_subject_is_an_error(name: str, error: type[InputError], message: str) -> None:
    with pytest.raises(error, match=message):
        require_subject(name)


@pytest.mark.parametrize("name", ["go2008", "tcmalloc", "lib:glibc"])
def test_placeholder_has_the_type_of_the_subjects_state(name: str) -> None:
    assert type(placeholder_state(name)) is type(make_subject(name, RESERVE).state)


def test_design_starts_as_a_loaded_library_does() -> None:
    heap = make_subject("tcmalloc", RESERVE).heap
    assert heap is not None
    startup = heap.design.checked({"startup": LIKE_LIBRARIES["startup"]})["startup"]
    assert heap.parameters["startup"] == startup


def test_design_starts_where_its_library_did() -> None:
    assert started_like("tcmalloc", (5 << 31) + 8 * 8192 + 16) == "tcmalloc:start_page=7"
    assert started_like("glibc:cores=2", (5 << 30) + 9 * 4096) == "glibc:cores=2:start_page=9"
    for name in ("tcmalloc:start_page=3", "go2008", "lib:tcmalloc"):
        assert started_like(name, 1 << 40) == name
    assert started_like("tcmalloc", None) == "tcmalloc"
