"""Packages of other interpreters: how their versions are found, and the command to install them."""

import json
import sys
from pathlib import Path

import pytest

from allocsim.recorders import python_packages
from allocsim.recorders.python_packages import Answer, how_to_install, main_of, version_in


def test_version_of_an_installed_package_is_found() -> None:
    assert version_in(sys.executable, "click") is not None
    assert version_in(sys.executable, "no-such-package") is None
    assert version_in("/bin/false", "click") is None


def test_file_that_a_package_runs_is_found() -> None:
    main = main_of(sys.executable, "pip")
    if main is None:
        pytest.skip("this Python has no pip")
    assert Path(main).name == "__main__.py"
    assert Path(main).is_file()
    assert main_of(sys.executable, "no-such-package") is None


def test_current_directory_is_not_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("json", "importlib", "sysconfig", "click", "os"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('it was run')")
    monkeypatch.chdir(tmp_path)
    python_packages._ask.cache_clear()
    assert version_in(sys.executable, "click") is not None


@pytest.mark.parametrize(
    ("answer", "command"),
    [
        (Answer(None, True, None, False), "'/a b/python' -m pip install x==1"),
        (
            Answer(None, False, None, False),
            "'/a b/python' -m ensurepip && '/a b/python' -m pip install x==1",
        ),
        (
            Answer(None, True, None, True),
            "'/a b/python' -m venv --system-site-packages env && env/bin/python -m pip install "
            "x==1, then use env/bin/python",
        ),
    ],
    ids=["pip", "no pip", "managed by the system"],
)
def test_command_is_one_that_works_for_the_interpreter(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, command: str
) -> None:
    monkeypatch.setattr(python_packages, "_ask", lambda *_: answer)
    assert how_to_install("x==1", "/a b/python") == command


@pytest.mark.parametrize("output", ["", "no json", json.dumps([1, 2, 3, 4, 5, 6])])
def test_interpreter_that_answers_nonsense_has_no_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{output}'\n")
    python.chmod(0o700)
    assert version_in(str(python), "click") is None
