"""Ctrl-C at any moment of a process: one line, status 130, and no partial files."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import (
    ENVIRONMENT,
    PATIENCE,
    Ended,
    command,
    default_signals,
    without_notices,
)

RAISE = "os.kill(os.getpid(), signal.SIGINT)"

AT_IMPORT = """
import os, signal, sys
class Trap:
    def find_spec(self, name, *_):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.{signal})
sys.meta_path.insert(0, Trap())
"""
"""Python code that interrupts its process when the process begins to import a module."""

IN_A_CALLBACK = """
import os, signal, sys
class Trap:
    def find_spec(self, name, *_):
        if name == "allocsim.core.jit":
            sys.meta_path.remove(self)
            from numba.core.codegen import JITCodeLibrary
            def interrupted(*_):
                os.kill(os.getpid(), signal.SIGINT)
            JITCodeLibrary._object_compiled_hook = classmethod(interrupted)
sys.meta_path.insert(0, Trap())
"""
"""Python code that interrupts its process inside a callback of LLVM to Numba."""

IN_A_FINALISER = """
import os, signal, sys
class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
class Trap:
    def find_spec(self, name, *_):
        if name == "allocsim.player":
            sys.meta_path.remove(self)
            Finalised()
sys.meta_path.insert(0, Trap())
"""


ENDLESS = ("random", "--ops", "1e12")


def run_trapped(place: Path, trap: str, *arguments: str) -> Ended:
    """Run allocsim with `trap` in its process, and with a new cache; return the outcome."""
    return run_trapped_command(place, trap, command(*(arguments or ENDLESS)))


def run_trapped_command(place: Path, trap: str, line: list[str]) -> Ended:
    """Run a command with `trap` in its process, and with a new cache; return the outcome."""
    (place / "sitecustomize.py").write_text(trap)
    paths = os.pathsep.join([str(place), ENVIRONMENT["PYTHONPATH"]])
    environment = ENVIRONMENT | {"PYTHONPATH": paths, "XDG_CACHE_HOME": str(place / "cache")}
    environment.pop("NUMBA_CACHE_DIR", None)
    child = subprocess.run(
        line,
        capture_output=True,
        env=environment,
        check=False,
        timeout=PATIENCE,
        preexec_fn=default_signals,
    )
    return Ended(child.returncode, child.stdout.decode(), without_notices(child.stderr.decode()))


INTERRUPTED = Ended(130, "", "allocsim: error: interrupted\n")

MODULES = ["allocsim.cli", "click", "numpy", "llvmlite", "numba", "allocsim.driver", "rich"]


@pytest.mark.parametrize("module", MODULES)
def test_interrupt_while_a_module_is_loaded_is_130(tmp_path: Path, module: str) -> None:
    trap = AT_IMPORT.format(module=module, signal="SIGINT")
    assert run_trapped(tmp_path, trap) == INTERRUPTED


LAUNCHERS = {
    "python -m": command(*ENDLESS),
    "script": [str(Path(sys.executable).parent / "allocsim"), *ENDLESS],
}
"""The ways to start allocsim."""


@pytest.mark.parametrize("line", LAUNCHERS.values(), ids=LAUNCHERS)
def test_interrupt_before_the_handler_is_installed_ends_the_process_quietly(
    tmp_path: Path, line: list[str]
) -> None:
    trap = AT_IMPORT.format(module="allocsim.signals", signal="SIGINT")
    assert run_trapped_command(tmp_path, trap, line) == Ended(-signal.SIGINT, "", "")


@pytest.mark.compiled
def test_interrupt_inside_a_callback_of_the_compiler_is_not_swallowed(tmp_path: Path) -> None:
    assert run_trapped(tmp_path, IN_A_CALLBACK) == INTERRUPTED


def test_interrupt_inside_a_finaliser_is_not_swallowed(tmp_path: Path) -> None:
    assert run_trapped(tmp_path, IN_A_FINALISER) == INTERRUPTED


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [("SIGTERM", 143, "terminated"), ("SIGHUP", 129, "the terminal was closed")],
)
def test_sigterm_and_sighup_end_the_process_in_order(
    tmp_path: Path, name: str, status: int, message: str
) -> None:
    ended = run_trapped(tmp_path, AT_IMPORT.format(module="numpy", signal=name))
    assert ended == Ended(status, "", f"allocsim: error: {message}\n")


def test_interrupt_that_was_ignored_from_the_start_stays_ignored(tmp_path: Path) -> None:
    """A shell ignores SIGINT in its background jobs."""
    trap = AT_IMPORT.format(module="click", signal="SIGINT")
    ignoring = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    ended = run_trapped(tmp_path, ignoring + trap, "list", "designs")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out


WRITING = f"""
import os, signal
from pathlib import Path
from allocsim.atomic_file import atomic_replace
from allocsim.signals import handle_signals
handle_signals()
with atomic_replace(Path("out")) as file:
    file.write(b"half")
    file.flush()
    assert len(os.listdir()) == 2, os.listdir()
    {RAISE}
"""


CACHING = f"""
import os, signal
from pathlib import Path
from allocsim.core.kernel_cache import replace_file
from allocsim.signals import handle_signals
handle_signals()
def interrupted(*_):
    assert len(os.listdir()) == 2, os.listdir()
    {RAISE}
Path.replace = interrupted
replace_file(Path("out"), b"new")
"""


@pytest.mark.parametrize("writing", [WRITING, CACHING])
def test_interrupt_leaves_the_old_file_and_no_partial_one(tmp_path: Path, writing: str) -> None:
    (tmp_path / "out").write_text("old")
    child = subprocess.run(
        [sys.executable, "-c", writing],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
        preexec_fn=default_signals,
    )
    assert (child.returncode, child.stderr) == (130, b"allocsim: error: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "old"
