"""Children that run Python: no code of the current directory runs, and output is capped."""

import ast
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import allocsim
from allocsim import signals
from allocsim.python_child import (
    MAX_OUTPUT,
    end_of,
    last_line,
    module_command,
    output_of,
    running,
    script_command,
)
from tests.cli.running import PATIENCE

PACKAGE = Path(allocsim.__file__).parent

Command = Callable[..., list[str]]


def test_output_of_a_child_needs_no_temporary_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such/directory")
    assert output_of(["echo", "text"], os.environ, 10) == b"text\n"


def test_child_runs_a_module_with_its_arguments(tmp_path: Path) -> None:
    command = module_command("allocsim", "--version")
    child = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
    assert child.stdout.startswith("allocsim")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A directory with modules that must not be run."""
    for name in ("click", "numpy", "json", "msgspec", "resource", "allocsim", "memray"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('it ran')")
    return tmp_path


def test_module_runs_nothing_of_the_current_directory(trap: Path) -> None:
    command = module_command("allocsim", "random", "--help")
    subprocess.run(command, cwd=trap, capture_output=True, check=True)


WAITING = "print(5, flush=True); import time; time.sleep(900)"


@pytest.mark.parametrize("kind", [module_command, script_command])
def test_child_is_killed_when_its_parent_is_killed(kind: Command, tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    child = ("timeit", "-s", WAITING) if kind is module_command else (f"{tmp_path}/waiting.py",)
    starting = f"import subprocess; from allocsim.python_child import {kind.__name__} as command\n"
    code = f"{starting}subprocess.run(command(*{child}))"
    with subprocess.Popen(python(code), stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"5\n"
        parent.kill()
        assert parent.stdout.read() == b""  # the end of the pipe: the child is gone too


@pytest.mark.parametrize("kind", [module_command, script_command])
def test_child_whose_parent_ended_before_it_could_ask_for_a_signal_is_killed(
    kind: Command, tmp_path: Path
) -> None:
    """The command was made for this process, but the child's parent is the shell."""
    (tmp_path / "ready.py").write_text("print(5, flush=True)")
    child = ("timeit", "pass") if kind is module_command else (f"{tmp_path}/ready.py",)
    shell = ["sh", "-c", '"$@"; echo $?', "sh", *kind(*child)]
    output = subprocess.run(shell, capture_output=True, check=True).stdout
    assert output == b"%d\n" % (128 + signal.SIGKILL)


def test_script_is_run_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import sys; print(sys.argv)")
    command = script_command(f"{tmp_path}/script.py", "one", "two")
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert ast.literal_eval(output) == [f"{tmp_path}/script.py", "one", "two"]


def test_script_runs_nothing_of_the_current_directory(trap: Path) -> None:
    script = trap / "elsewhere" / "script.py"
    script.parent.mkdir()
    script.write_text("import json, resource")
    subprocess.run(script_command(str(script)), cwd=trap, capture_output=True, check=True)


def command_lines(path: Path) -> Iterator[str]:
    """Yield the source of each list that has the element `sys.executable`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.List) and "sys.executable" in map(ast.unparse, node.elts):
            yield ast.unparse(node)


def test_only_this_module_starts_our_python() -> None:
    using = {path.name for path in PACKAGE.rglob("*.py") if any(command_lines(path))}
    assert using == {"python_child.py"}


def python(code: str) -> list[str]:
    """Return a command that runs this code."""
    return [sys.executable, "-c", code]


LIMITED = "from allocsim.python_child import limit_output; limit_output()\n"


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("raise SystemExit(7)", "ended with status 7"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("import os; os.kill(os.getpid(), 6)", "crashed by SIGABRT"),
        ("import os; os.kill(os.getpid(), 40)", "crashed by signal 40"),
    ],
)
def test_end_of_a_child_is_described(code: str, end: str) -> None:
    with running(python(code)) as child:
        assert end_of(child, 900) == end


def test_child_that_goes_on_has_no_end_and_is_killed_with_its_children() -> None:
    code = "import os, time; os.fork(); os.write(1, b'.'); time.sleep(900)"
    with running(python(code), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.read(2) == b".."
        assert end_of(child, 0) is None
    assert child.returncode == -signal.SIGKILL
    with child.stdout:
        assert child.stdout.read() == b""  # the end of the pipe: the other process is gone too


ENDLESS = f"""
try:
    while True: os.write(output, b'x' * {MAX_OUTPUT // 4})
except OSError: pass
"""


def test_output_is_capped() -> None:
    code = f"import os; output = 1{ENDLESS}"
    assert output_of(python(code), dict(os.environ), 900) == b"x" * MAX_OUTPUT


def test_files_of_a_limited_child_are_capped(tmp_path: Path) -> None:
    code = f"import os; output = os.open('out', os.O_CREAT | os.O_WRONLY){ENDLESS}"
    subprocess.run(python(LIMITED + code), cwd=tmp_path, check=True)
    assert (tmp_path / "out").stat().st_size == MAX_OUTPUT


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "import os; os.abort()"])
def test_child_that_fails_has_no_output(code: str) -> None:
    assert output_of(python(f"print(5, flush=True); {code}"), dict(os.environ), 900) is None


def test_child_that_hangs_has_no_output() -> None:
    assert output_of(python("import time; time.sleep(900)"), dict(os.environ), 0) is None


def test_last_line_is_short(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    for text, line in ((b"", ""), (b"one\n two \n\n", "two"), (b"\xff" * 500, "\ufffd" * 200)):
        errors.write_bytes(text)
        with errors.open("rb") as file:
            assert last_line(file) == line


def test_child_gets_no_variable_that_makes_python_go_on_or_talk(tmp_path: Path) -> None:
    """With PYTHONINSPECT, Python would read standard input after the error, and end with 0."""
    talking = {"PYTHONINSPECT": "1", "PYTHONVERBOSE": "1", "PYTHONPROFILEIMPORTTIME": "1"}
    talking["PYTHONWARNINGS"] = "error"
    program = "import warnings; warnings.warn('hidden', ImportWarning); raise SystemExit(7)"
    options: dict[str, Any] = {"env": os.environ | talking, "stderr": subprocess.PIPE}
    with running(python(program), **options) as child:
        assert child.stderr is not None
        with child.stderr:
            assert child.stderr.read() == b""
        assert end_of(child, 900) == "ended with status 7"


def test_signal_that_interrupts_the_wait_for_a_killed_child_ends_it_too() -> None:
    """The signal may interrupt `child.wait()` while the lock of `child` is held."""
    with running(python("import time; time.sleep(900)")) as child:
        cleanup = threading.Thread(target=signals._cleanups[-1], daemon=True)
        with child._waitpid_lock:  # type: ignore[attr-defined]
            cleanup.start()
            cleanup.join(PATIENCE)
            assert not cleanup.is_alive()
        assert not Path(f"/proc/{child.pid}").exists()
