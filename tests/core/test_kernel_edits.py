"""An edited kernel is compiled again; editing a comment or another design compiles nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from allocsim.core.jit import PURE
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(PURE, reason="nothing is compiled in pure mode")

SCRIPT = """
import json
from allocsim import Heap
with Heap(reserve=1 << 26) as heap:
    usable = heap.usable_size(heap.malloc(1))
    print(json.dumps([usable, int(heap.state.free_list[0, 0].length), heap.resident()]))
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that can be edited, in a directory with the cache of its kernels."""
    place = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "allocsim", place / "allocsim", ignore=ignored)
    (place / "script.py").write_text(SCRIPT)
    return place


def run(place: Path) -> list[int]:
    """Run the copy in a new process; return its output."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(place / "cache"), "PYTHONPATH": str(place)}
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=place, env=environment, capture_output=True, check=True
    )
    printed: list[int] = json.loads(ran.stdout)
    return printed


def kernels(place: Path) -> dict[str, int]:
    """The files of machine code with the times at which they were written."""
    return {file.name: file.stat().st_mtime_ns for file in (place / "cache").rglob("*.nbc")}


def edit(place: Path, name: str, old: str, new: str) -> None:
    """Replace text of a file; the file must contain this text."""
    file = place / "allocsim" / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_edits_recompile_what_depends_on_them_and_nothing_else(copied: Path) -> None:
    before = run(copied)
    compiled = kernels(copied)
    assert before[:2] == [8, 1023]
    assert compiled

    for file in (copied / "allocsim").rglob("*.py"):
        if file.name != "__main__.py":
            file.write_text(file.read_text() + "\n# A comment.\n")
    edit(copied, "reports/run_text.py", "import", "X = 1\nimport")
    edit(copied, "designs/tcmalloc/__init__.py", "DESIGN =", "X = 1\nDESIGN =")
    assert run(copied) == before
    assert kernels(copied) == compiled, "a comment, a report and another design compile nothing"

    edit(copied, "designs/go2008/central_grab.py", "CHUNK_OBJECTS = 1024", "CHUNK_OBJECTS = 512")
    assert run(copied)[:2] == [8, 511], "a constant of a called kernel"

    edit(copied, "designs/go2008/malloc.py", "return record.object_size", "return 77")
    assert run(copied)[:2] == [77, 511], "the code of an operation"

    edit(copied, "core/records.py", "    grows: Int64", "    first: Int64\n    grows: Int64")
    assert run(copied)[:2] == [77, 511], "a field of a record"
    assert len(kernels(copied)) == len(compiled), "old files are deleted"
