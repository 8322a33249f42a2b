"""The README's examples whose output differs from run to run: how to run and compare them.

A shown line stands for the lines with the same shape: the same words, with other figures.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from allocsim.libraries.find import default_libraries
from tests.conftest import REPOSITORY
from tests.equality.verify_tcmalloc import SYSTEMUI
from tests.recorders.requirements import require

FASTEST = re.compile(r"^(Fastest|No single fastest): .*")
"""The conclusion on times, which depends on the load of the machine."""

FIGURE = re.compile(r"[*+-]?\d[\d,.]*(?:%|x| (?:[KMGT]iB|B)\b)?|within noise|\bdefault\b|\bnone\b")
"""Figures, and the words that can be in their place."""

PINNING = """
#include <cstdlib>
#include <cstring>
#include <vector>

static std::vector<char *> sessions;

__attribute__((noinline)) static void remember_session() {
    sessions.push_back(strdup("a session"));
}

int main(int count, char **) {
    std::vector<void *> requests;
    requests.reserve(12000);
    sessions.reserve(12000);
    while (count == 1 && sessions.size() < 12000)
        sessions.push_back(strdup("a session"));
    while (requests.size() < 12000) {
        requests.push_back(malloc(4096));
        if (count > 1)
            remember_session();
    }
    for (; !requests.empty(); requests.pop_back())
        free(requests.back());
    sessions.push_back(strdup("the last allocation"));
    for (char *session : sessions)
        free(session);
}
"""
"""A program that keeps a small object between its large ones if it has an argument. Without one, it
allocates the small objects first."""


@dataclass(frozen=True)
class Example:
    """A command of the README whose output differs from run to run.

    It is run without `head`, which would end it by closing its output.
    """

    command: str
    """The beginning of the command."""
    prepare: Callable[[Path], None] = lambda _: None
    """Creates the command's files in a directory; skips the test if something is not installed."""
    replaced: tuple[str, str] = ("", "")
    """A part of the command, and what is run instead because it takes less time."""
    ignored: str = r"$^"
    """A regular expression of lines that depend on the workload."""


def _bundled(place: Path) -> None:
    """Provide the directory of the bundled workloads."""
    (place / "workloads").symlink_to(REPOSITORY / "workloads")


def _sqlite(place: Path) -> None:
    """Require the SQLite shell, its recorder and the libraries, and provide the statements."""
    require("preload", "sqlite3")
    _bundled(place)


def _libraries(place: Path) -> None:
    """Require the libraries that the README's tables have."""
    _sqlite(place)
    if {"jemalloc", "tcmalloc", "mimalloc"} - set(default_libraries()):
        pytest.skip("jemalloc, tcmalloc or mimalloc is not installed")


def _systemui(place: Path) -> None:
    """Provide the recording of Android."""
    _libraries(place)
    if not SYSTEMUI.exists():
        pytest.skip("the recording systemui.zip was not found")
    (place / "systemui.zip").symlink_to(SYSTEMUI)


def _before_and_after(place: Path) -> None:
    """Record a program whose small objects pin free memory, and the program without the fault."""
    require("preload", "/bin/true")
    if (compiler := shutil.which("c++")) is None:
        pytest.skip("no C++ compiler is installed")
    (place / "guilty.cpp").write_text(PINNING)
    subprocess.run([compiler, "-g", "-O1", "-o", "guilty", "guilty.cpp"], cwd=place, check=True)
    run("allocsim record --sites -o before.allocsim -- ./guilty pin", place)
    run("allocsim record --sites -o after.allocsim -- ./guilty", place)


def _recordings(place: Path) -> None:
    """Provide two recordings."""
    _libraries(place)
    for name, end in (("group", "8e4"), ("sort", "6e4")):
        run(f"allocsim trace cut sqlite-orders {name}.allocsim --from 0 --to {end}", place)


EXAMPLES = (
    Example("allocsim record -- sqlite3", _sqlite, (".sql'", ".sql' 2>&1"), r"\(the output"),
    # On a slow machine, there is no time for the last experiments, which change settings.
    Example("COLUMNS=100 allocsim explain sqlite-orders", ignored="tcache_|mmap_|trim_"),
    Example("allocsim explain before.allocsim", _before_and_after),
    Example("allocsim compare --real-runs 5 -- python3", _libraries, ("runs 5", "runs 1")),
    Example("allocsim compare --real-runs 5 -- sqlite3", _libraries, ("runs 5", "runs 1")),
    Example("allocsim compare systemui.zip", _systemui),
    Example("allocsim sweep", _recordings, ("…", "-L tcache_count=default,0"), "best by|GLIBC"),
    Example("COLUMNS=100 allocsim tune", _recordings, ignored="Recommended"),
)


def run(command: str, place: Path, columns: int | None = None) -> str:
    """Run a shell command in a directory; return its output, `columns` wide if given."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("COLUMNS", None)
    if columns is not None:
        environment["COLUMNS"] = str(columns)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shapes(text: str) -> list[str]:
    """Return the lines of a text without their figures; skip blank lines and lines "..."."""
    lines = (FIGURE.sub("N", FASTEST.sub("the fastest", line)) for line in text.splitlines())
    shortened = (re.sub(r"─+", "─", re.sub(r"\s+", " ", line)).strip() for line in lines)
    # A range whose ends are equal is printed as one figure.
    figures = (line.replace("N - N", "N") for line in shortened)
    return [line for line in figures if line not in ("", "...")]
