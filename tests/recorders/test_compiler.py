"""The C compiler: the message of a failure, and the place of temporary files."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from allocsim.recorders import compiler
from allocsim.recorders.base import RecorderFailed
from allocsim.recorders.compiler import INSTALL, can_load_from, compile_library


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "a.c:9:1: fatal error: error writing to /t/c.s: No space left on device\n  9 | }\n",
            "the C compiler failed: a.c:9:1: fatal error: error writing to /t/c.s: No space left "
            "on device",
        ),
        (
            "a.c:1:10: fatal error: stdio.h: No such file or directory\ncompilation terminated.",
            f"the C compiler failed: a.c:1:10: fatal error: stdio.h: No such file or directory; "
            f"{INSTALL}",
        ),
        ("", "the C compiler failed: status 1"),
    ],
)
def test_failure_is_one_line_and_a_missing_file_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str, message: str
) -> None:
    variables: list[Any] = []

    def fail(*_: object, env: dict[str, str], directory: Path) -> subprocess.CompletedProcess[str]:
        variables.append(env)
        return subprocess.CompletedProcess([], 1, "", output)

    monkeypatch.setattr(compiler, "run_command", fail)
    with pytest.raises(RecorderFailed) as raised:
        compile_library(tmp_path / "a.so", "a.c")
    assert str(raised.value) == message
    assert (variables[0]["TMPDIR"], variables[0]["LC_ALL"]) == (str(tmp_path), "C")


@pytest.mark.skipif(shutil.which("cc", path=os.defpath) is None, reason="no C compiler")
def test_compiler_works_without_path_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PATH", raising=False)
    (tmp_path / "a.c").write_text("int a;\n", encoding="ascii")
    compile_library(tmp_path / "a.so", tmp_path / "a.c")
    assert (tmp_path / "a.so").stat().st_size > 0


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_library_has_no_search_path_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.c").write_text("int a;\n")
    monkeypatch.setenv("LD_RUN_PATH", "/tmp/stranger")
    compile_library(tmp_path / "a.so", tmp_path / "a.c")
    assert b"/tmp/stranger" not in (tmp_path / "a.so").read_bytes()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("path", [":/none", "", "."])
def test_headers_of_the_current_directory_are_not_compiled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    """An empty element of CPATH is the current directory."""
    for directory in ("place", "source", "work"):
        (tmp_path / directory).mkdir()
    (tmp_path / "place" / "stdint.h").write_text("#error it was read\n")
    (tmp_path / "source" / "a.c").write_text("#include <stdint.h>\nuint32_t a;\n")
    monkeypatch.chdir(tmp_path / "place")
    monkeypatch.setenv("CPATH", path)
    compile_library(tmp_path / "work" / "a.so", tmp_path / "source" / "a.c")
    assert (tmp_path / "work" / "a.so").stat().st_size > 0


def test_work_directory_that_is_mounted_noexec_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiler, "can_load_from", lambda _: False)
    with pytest.raises(RecorderFailed, match=r"mounted noexec; set TMPDIR"):
        compile_library(tmp_path / "a.so", "a.c")


def test_flag_of_the_file_system_is_read() -> None:
    """Most systems mount /proc noexec. No system mounts / noexec."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    flags = next(fields[3].split(",") for fields in mounts if fields[1] == "/proc")
    assert can_load_from(Path("/proc")) == ("noexec" not in flags)
    assert can_load_from(Path("/"))
