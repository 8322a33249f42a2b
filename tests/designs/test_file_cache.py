"""Compiled kernels of a design file: cached between processes, and never used after an edit."""

import json
import os
from pathlib import Path

import pytest

from allocsim.core.jit import PURE
from tests.cli.running import ENVIRONMENT, process
from tests.designs.outside import write_design

pytestmark = pytest.mark.skipif(PURE, reason="nothing is compiled")


def footprint(design: str, cache: Path) -> int:
    """The peak footprint of ten objects, replayed in a process of its own."""
    environment = ENVIRONMENT | {"NUMBA_CACHE_DIR": str(cache)}
    ended = process("random", "--ops", "10", "--json", "--design", design, env=environment)
    assert ended.status == 0, ended.err
    size: int = json.loads(ended.out)["at_peak"]["footprint"]
    return size


def kernels(cache: Path) -> dict[str, int]:
    """The cached kernels, with the times at which they were saved."""
    return {str(file): file.stat().st_mtime_ns for file in cache.rglob("*.nbc")}


def test_kernels_are_cached_until_the_file_is_edited(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    design = write_design(tmp_path)
    first = footprint(design, cache)
    saved = kernels(cache)
    assert any("slots" in name for name in saved)
    assert footprint(design, cache) == first
    assert kernels(cache) == saved

    before = Path(design).stat()
    write_design(tmp_path, ("SLOT = 0x10000", "SLOT = 0x20000"))
    os.utime(design, ns=(before.st_atime_ns, before.st_mtime_ns))  # as unpacking an archive does
    assert Path(design).stat().st_size == before.st_size
    assert footprint(design, cache) == 2 * first
