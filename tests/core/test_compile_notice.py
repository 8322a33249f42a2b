"""The line that says how long compiling is likely to take."""

import sys
import threading
from pathlib import Path

import pytest

from allocsim.core import compile_notice
from allocsim.core.compile_notice import (
    FEW_SECONDS,
    GROUPS,
    UNKNOWN_SECONDS,
    announce,
    expect,
    group_of,
    without_replay,
)
from tests.conftest import REPOSITORY

SECONDS = {group.prefix.removeprefix("allocsim.designs."): group.seconds for group in GROUPS}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setattr(compile_notice, "kernel_cache_directories", lambda: [tmp_path])
    return tmp_path


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[str]:
    """The lines that are written in a process that has announced nothing."""
    lines: list[str] = []
    monkeypatch.setattr(compile_notice, "_announced", set())
    monkeypatch.setattr(compile_notice, "_expected", {})
    monkeypatch.setattr(compile_notice, "write", lines.append)
    return lines


def line(seconds: float) -> str:
    return f"allocsim: compiling kernels: about {max(round(seconds), 1)} s, on first use only"


def test_one_line_covers_everything_that_a_command_compiles(written: list[str]) -> None:
    compile_notice.expect("allocsim.designs.tcmalloc", "allocsim.designs.go2008")
    for module in ("traces.scan", "designs.tcmalloc.state", "driver", "designs.go2008"):
        announce(f"allocsim.{module}")
    reading = SECONDS["allocsim.traces"]
    assert written == [line(reading + SECONDS["tcmalloc"] + SECONDS["go2008"])]


def test_cached_groups_are_not_counted(written: list[str], cache: Path) -> None:
    (cache / "allocsim.designs.go2008.heap.malloc-1-2-3.nbc").touch()
    compile_notice.expect("allocsim.designs.go", "allocsim.designs.go2008")
    announce("allocsim.traces.scan")
    assert written == [line(SECONDS["allocsim.traces"] + SECONDS["go"])]


def test_design_that_was_not_expected_is_announced_too(written: list[str]) -> None:
    announce("allocsim.designs.go2008.heap")
    announce("allocsim.designs.go2008.span")
    announce("allocsim.designs.go.mheap")
    announce("allocsim.driver")
    assert written == [line(SECONDS["go2008"]), line(SECONDS["go"])]


def test_further_kernels_take_less_time(written: list[str]) -> None:
    announce("allocsim.designs.go2008", has_replay=True)
    announce("allocsim.designs.go2008")
    assert written == [line(FEW_SECONDS)]


def test_command_that_replays_nothing_compiles_few_kernels(written: list[str]) -> None:
    with without_replay():
        announce("allocsim.designs.tcmalloc.size_classes")
    announce("allocsim.designs.go")
    assert written == [line(FEW_SECONDS), line(SECONDS["go"])]


@pytest.mark.parametrize(("seconds", "shown"), [(0.2, 1), (2.4, 2), (2.6, 3)])
def test_time_is_in_whole_seconds_and_at_least_one(
    written: list[str], seconds: float, shown: int
) -> None:
    compile_notice.write_once("allocsim.traces", seconds)
    assert written == [f"allocsim: compiling kernels: about {shown} s, on first use only"]


def test_every_module_with_kernels_is_in_a_group() -> None:
    package = REPOSITORY / "allocsim"
    for file in package.rglob("*.py"):
        if "@kernel" in file.read_text():
            name = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)
            assert group_of(name) in GROUPS, name


def test_threads_that_compile_at_once_write_one_line(written: list[str]) -> None:
    expect("allocsim.traces", "allocsim.libraries")
    threads = [threading.Thread(target=announce, args=("allocsim.traces",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [line(SECONDS["allocsim.traces"] + SECONDS["allocsim.libraries"])]


def test_design_from_outside_is_a_group_of_its_own(written: list[str]) -> None:
    announce("allocsim_design_mine_0123456789abcdef")
    assert written == [line(UNKNOWN_SECONDS)]


def test_broken_standard_error_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    compile_notice.write_to_stderr("a line")
