"""docs/memory-that-does-not-come-back.md: design and library agree, and the output is as shown."""

import os

import pytest

from allocsim.core.jit import PURE
from allocsim.errors import EnvironmentLacks
from tests.equality.glibc_equality import require_modelled_library
from tests.pages import assert_prints_what_it_shows, steps_of

PAGE = "memory-that-does-not-come-back.md"


def test_design_and_library_have_equal_figures() -> None:
    held = [
        line for step in steps_of(PAGE) for line in step.shown.splitlines() if "library" in line
    ]
    assert len(held) >= 10
    for line in held:
        library, design = line.split("library")[1].split("design")
        assert library.strip() == design.strip()


@pytest.mark.skipif(PURE, reason="whole workloads take minutes as plain Python")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="glibc has fewer arenas on one processor")
def test_page_prints_what_it_shows() -> None:
    try:
        require_modelled_library()
    except EnvironmentLacks as lacking:
        pytest.skip(str(lacking))
    assert_prints_what_it_shows(PAGE)
