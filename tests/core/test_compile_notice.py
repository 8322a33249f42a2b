"""The line that says what is being compiled."""

import sys
from types import ModuleType

import pytest

from allocsim.core import compile_notice
from allocsim.core.compile_notice import announce, describe
from tests.conftest import REPOSITORY


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that are written in a process that has announced nothing."""
    lines: list[str] = []
    monkeypatch.setattr(compile_notice, "_announced", set())
    monkeypatch.setattr(compile_notice, "write", lines.append)
    return lines


def test_each_group_is_announced_once_with_its_time(written: list[str]) -> None:
    for module in ("tcmalloc.state", "tcmalloc", "go2008", "tcmalloc.span"):
        announce(f"allocsim.designs.{module}")
    assert len(written) == 2
    assert written[0].startswith("allocsim: compiling the tcmalloc kernels: about ")
    assert written[0].endswith(" s, on first use only")


def test_further_kernels_are_announced_without_a_time(written: list[str]) -> None:
    announce("allocsim.designs.go2008", is_more=True)
    announce("allocsim.designs.go2008")
    assert written == ["allocsim: compiling more of the go2008 kernels, on first use only"]


def test_every_module_with_kernels_is_described() -> None:
    package = REPOSITORY / "allocsim"
    for file in package.rglob("*.py"):
        if "@kernel" in file.read_text():
            name = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)
            assert describe(name)[1] != compile_notice.UNKNOWN_SECONDS, name


def test_design_from_outside_is_called_by_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("allocsim_design_mine_0123456789abcdef")
    module.__file__ = "/home/me/mine.py"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert describe(module.__name__) == ("kernels of mine.py", compile_notice.UNKNOWN_SECONDS)


def test_broken_standard_error_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    compile_notice.write_to_stderr("a line")
