"""Fixtures for the command line."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from allocsim import cli
from tests.cli.running import Ended

Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run allocsim's main() in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_drop", lambda _: None)  # pytest's own output has to stay

    def call(line: str, *more: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["allocsim", *shlex.split(line), *more])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert isinstance(end.value.code, int)
        return Ended(end.value.code, out, err)

    return call


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, str], Path]:
    """A call that writes a file into the empty directory."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
