"""Designs in different files run their own kernels, even if their states have the same name."""

import subprocess
import sys
from pathlib import Path

import pytest

from allocsim.core.jit import PURE
from allocsim.designs import find_design
from tests.cli.running import ENVIRONMENT
from tests.designs.outside import SMALLEST, write_design

REPLAY = """
import sys, allocsim
for design in sys.argv[1:]:
    profile = allocsim.replay({"kind": "random", "ops": 10}, design)
    print(profile.at_peak.footprint)
"""
"""Prints the peak footprint of ten objects on each of the designs, in one process."""


def footprints(cache: Path, *designs: Path) -> list[int]:
    """Replay on the designs, one after the other, in a new process; return the peak footprints."""
    environment = ENVIRONMENT | {"NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", REPLAY, *map(str, designs)]
    return [int(line) for line in subprocess.check_output(command, env=environment).split()]


def test_names_of_states_differ_where_their_files_do(tmp_path: Path) -> None:
    first = find_design(write_design(tmp_path)).state
    second = find_design(write_design(tmp_path, ("SLOT = 0x10000", "SLOT = 0x20000"))).state
    assert first.__name__ != second.__name__
    assert first.__qualname__ == second.__qualname__ == "Slots"


@pytest.mark.skipif(PURE, reason="nothing is compiled")
def test_cached_kernels_of_one_file_do_not_run_for_another(tmp_path: Path) -> None:
    small, large = tmp_path / "small.py", tmp_path / "large.py"
    small.write_text(SMALLEST)
    large.write_text(SMALLEST.replace("SLOT = 0x10000", "SLOT = 0x20000"))
    cache = tmp_path / "cache"
    first, second = footprints(cache, small)[0], footprints(cache, large)[0]
    assert second == 2 * first
    assert footprints(cache, small, large) == [first, second]
    assert footprints(cache, large, small) == [second, first]
