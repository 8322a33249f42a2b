"""The recorder on AArch64. The programs run in an emulator; stamps are those of the clock.

No program forks: QEMU 7.2 ignores MADV_WIPEONFORK, so a child would go on with its parent's lanes.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from allocsim.recorders.compiler import SHARED
from allocsim.recorders.preload.library import LIBRARIES, OPTIONS, SOURCE
from tests.recorders.preload.running import HERE, Chain, require_all_equal

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
ROOT = "/usr/aarch64-linux-gnu"
"""The directory of the C library, below which the emulator looks for the files of the loader."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the recorder, the counter and the programs, compiled for AArch64."""
    for name in (COMPILER, EMULATOR):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed: apt install gcc-aarch64-linux-gnu qemu-user")
    place = tmp_path_factory.mktemp("aarch64")
    tested = ("-w", "-O1", "-fno-builtin")
    for output, source, options in (
        ("recorder.so", SOURCE, (*SHARED, *OPTIONS)),
        ("counter.so", HERE / "counter.c", (*SHARED, *tested)),
        ("programs", HERE / "programs.c", tested),
    ):
        command = [COMPILER, *options, "-o", place / output, source, *LIBRARIES]
        subprocess.run(command, check=True)
    return place


@pytest.mark.parametrize("sites", [False, True], ids=["calls", "sites"])
@pytest.mark.parametrize("name", ["kinds", "pool", "cross", "destructors", "unmaps", "exits"])
def test_every_call_is_recorded_on_aarch64(
    place: Path, tmp_path: Path, name: str, sites: bool
) -> None:
    chain = Chain(place / "recorder.so", place / "counter.so", tmp_path)
    recorded = chain(EMULATOR, "-L", ROOT, str(place / "programs"), name, tsc=False, sites=sites)
    for trace in require_all_equal(recorded):
        assert not trace.losses
        assert not trace.reader.image.header["is_tsc"]
