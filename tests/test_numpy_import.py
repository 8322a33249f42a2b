"""NumPy is imported with one OpenBLAS thread, and only if enough address space is free."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from allocsim import numpy_import
from allocsim.errors import EnvironmentLacks
from allocsim.numpy_import import THREADS, guard_numpy, require_address_space
from tests.cli.running import MEASURED, limited, process

THREADS_AFTER_IMPORT = """
import os
from allocsim.numpy_import import THREADS, guard_numpy
guard_numpy()
import numpy
print(numpy.zeros(2).sum(), len(os.listdir("/proc/self/task")), os.environ.get(THREADS))
"""


@pytest.mark.parametrize("setting", [None, "2", "junk"])
def test_openblas_starts_no_thread_and_the_environment_is_unchanged(setting: str | None) -> None:
    variables = {name: value for name, value in MEASURED.items() if name != THREADS}
    if setting is not None:
        variables[THREADS] = setting
    line = [sys.executable, "-c", THREADS_AFTER_IMPORT]
    assert subprocess.check_output(line, env=variables, text=True) == f"0.0 1 {setting}\n"


ANOTHER_FINDER = """
import sys
from pathlib import Path
from allocsim.numpy_import import guard_numpy
class Finder:
    def find_spec(self, name, *_):
        if name == "numpy":
            print("asked")
sys.meta_path.insert(0, Finder())
guard_numpy()
import numpy
"""


def test_other_finders_are_asked_for_numpy() -> None:
    line = [sys.executable, "-c", ANOTHER_FINDER]
    assert subprocess.check_output(line, env=MEASURED, text=True) == "asked\n"


@pytest.mark.parametrize("mebibytes", [60, 120, 250])
def test_small_address_space_is_named(mebibytes: int) -> None:
    """Without the check, OpenBLAS would end the process, or LLVM would not load."""
    limit = limited(resource.RLIMIT_AS, mebibytes << 20)
    ended = process("random", "--ops", "100", preexec_fn=limit)
    assert (ended.status, ended.out) == (3, "")
    assert ended.err.startswith("allocsim: error: less than 288 MiB of address space is free")
    assert "ulimit -v" in ended.err


def test_help_needs_little_address_space() -> None:
    ended = process("random", "--help", preexec_fn=limited(resource.RLIMIT_AS, 60 << 20))
    assert (ended.status, ended.err) == (0, "")


def test_room_is_checked_by_mapping_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_address_space()
    monkeypatch.setattr(numpy_import, "NEEDED", 1 << 62)
    with pytest.raises(EnvironmentLacks, match="address space"):
        require_address_space()


def test_imported_numpy_is_left_alone() -> None:
    before, variables = [*sys.meta_path], {**os.environ}
    guard_numpy()
    assert (sys.meta_path, {**os.environ}) == (before, variables)


@pytest.mark.parametrize(
    "names",
    [("NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES"), ("NUMPY_MADVISE_HUGEPAGE",)],
)
def test_bad_variable_of_numpy_is_3_without_a_traceback(names: tuple[str, ...]) -> None:
    ended = process("random", "--ops", "100", env=MEASURED | dict.fromkeys(names, "SSE2"))
    assert (ended.status, ended.out) == (3, "")
    assert ended.err.startswith("allocsim: error: cannot load a Python module: ")
    assert all(name in ended.err for name in names)


def test_error_of_numpy_itself_blames_no_variable(tmp_path: Path) -> None:
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("raise ValueError('size changed')\n")
    ended = process("random", "--ops", "100", env=MEASURED | {"PYTHONPATH": str(tmp_path)})
    assert ended.status == 3
    assert "size changed" in ended.err
    assert "variables" not in ended.err


def test_warning_of_a_library_is_printed_if_it_would_be_an_error() -> None:
    variables = {"PYTHONWARNINGS": "error", "NPY_ENABLE_CPU_FEATURES": "junk"}
    ended = process("random", "--ops", "100", env=MEASURED | variables)
    assert ended.status == 0
    assert "ImportWarning" in ended.err
