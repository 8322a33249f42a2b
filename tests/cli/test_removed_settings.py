"""Measurements ignore the user's malloc settings, and a message names the ignored settings."""

import pytest

from tests.cli.conftest import Run
from tests.cli.test_check import Write
from tests.cli.test_compare import TRACE

QUICK = "--on lib:glibc"

COMMANDS = {
    "compare": f"compare trace.txt {QUICK} --runs 1 --warmup 0",
    "json": f"compare trace.txt {QUICK} --runs 1 --warmup 0 --json",
    "check": f"check trace.txt {QUICK} --max-footprint 8MiB",
    "explain": f"explain trace.txt {QUICK} --no-what-if",
    "sweep": f"sweep trace.txt {QUICK} --out rows.jsonl",
}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, file: Write) -> None:
    """Write a trace, and set two of glibc's environment variables."""
    file("trace.txt", TRACE)
    for name in ("LD_PRELOAD", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    monkeypatch.setenv("MALLOC_TOP_PAD_", "1")


@pytest.mark.parametrize("name", COMMANDS)
def test_removed_settings_are_named_once(run: Run, name: str) -> None:
    ended = run(COMMANDS[name])
    assert ended.status == 0, ended
    text = " ".join((ended.out + ended.err).split())
    assert text.count("ignored environment variables: MALLOC_ARENA_MAX, MALLOC_TOP_PAD_") == 1


@pytest.mark.parametrize("name", ["compare", "check", "explain"])
def test_settings_that_are_kept_are_not_named(run: Run, name: str) -> None:
    ended = run(f"{COMMANDS[name]} --keep-settings")
    assert "MALLOC_ARENA_MAX" not in ended.out + ended.err


def test_measurement_of_designs_names_no_settings_of_libraries(run: Run) -> None:
    ended = run("compare trace.txt --on go2008,tcmalloc --runs 1 --warmup 0")
    assert ended.status == 0, ended
    assert "MALLOC_ARENA_MAX" not in ended.out + ended.err
