"""A recording on a disk that becomes full while the program runs."""

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recorders.preload.running import Chain, calls_of

SIZE = 128 << 20
"""Bytes of the disk. mkfs.btrfs needs at least 109 MiB."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A directory where a small disk with the file system btrfs is mounted."""
    if shutil.which("mkfs.btrfs") is None:
        pytest.skip("mkfs.btrfs is not installed: apt install btrfs-progs")
    if tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < (6, 18):
        pytest.skip("Linux is older than 6.18, and may need room for a copy despite FS_NOCOW_FL")
    image, place = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(SIZE)
    place.mkdir()
    subprocess.run(["mkfs.btrfs", "-q", "-m", "single", image], check=True, capture_output=True)
    mount = ["mount", "-t", "btrfs", "-o", "loop", str(image), str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a btrfs disk cannot be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_program_on_a_full_btrfs_disk_goes_on(chain: Chain, disk: Path, program: str) -> None:
    """btrfs copies a block that is written again, for which a full disk has no room."""
    alone = Chain(chain.recorder, None, disk)
    recorded = alone(program, "fills_disk", str(disk / "own"))
    trace = recorded.trace(recorded.images[0])
    list(trace.chunks)
    assert calls_of(trace)["malloc"] == 150
    assert not trace.losses
