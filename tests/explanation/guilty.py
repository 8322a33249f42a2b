"""Small programs for which the right explanation is known.

In some, one line pins most of the memory. In the others, a setting helps, or nothing does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from allocsim.benchmark.comparison import Conditions
from allocsim.events import Trace
from allocsim.explanation.explanation import Explanation, explain
from allocsim.explanation.question import Question
from allocsim.explanation.subject import subject_called
from allocsim.workloads import open_workload
from tests.recorders.conftest import recording
from tests.recorders.requirements import require

PROGRAMS = Path(__file__).with_name("programs")


@dataclass(frozen=True)
class Program:
    """A program in `programs`. The number of objects grows with its argument."""

    file: str
    answer: str = ""
    """Text that the explanation of a program without a guilty line must contain."""

    @cached_property
    def guilty(self) -> str | None:
        """The file and line that pin memory, or None."""
        lines = (PROGRAMS / self.file).read_text().splitlines()
        found = [number for number, line in enumerate(lines, 1) if line.endswith(MARKS)]
        return f"{self.file}:{found[0]}" if found else None

    def command(self, place: Path, count: int) -> list[str]:
        """Return the command line, after compiling a C or C++ program in `place`.

        Skips the test if the compiler or the recorder is missing.
        """
        path = PROGRAMS / self.file
        if path.suffix == ".py":
            command = [sys.executable, str(path), str(count)]
            require("memray", *command)
            return command
        require("preload", "/bin/true")
        return [str(_compiled(path, place)), str(count)]

    def record(self, place: Path, count: int) -> Path:
        """Record the program with its call sites in `place`; return the recording."""
        with recording(place) as record:
            options = ("-o", "recorded.allocsim", "--sites", "--")
            ended = record(*options, *self.command(place, count))
        assert ended.status == 0, ended.err
        return place / "recorded.allocsim"


def _compiled(path: Path, place: Path) -> Path:
    """Compile a program in `place` with debug information; skip the test without a compiler."""
    compiler = {".c": "cc", ".cpp": "c++"}[path.suffix]
    if shutil.which(compiler) is None:
        pytest.skip(f"no compiler is installed: {compiler}")
    program = place / path.stem
    command = [compiler, "-g", "-O1", "-pthread", "-o", str(program), str(path)]
    subprocess.run(command, check=True)
    return program


MARKS = ("/* guilty */", "# guilty")
"""The comments that mark a line that pins memory, in C and in Python."""

GUILTY = ("sessions.cpp", "names.cpp", "keys.c", "remember.py", "workers.c")
"""Programs in which one line pins most of the memory."""

PROGRAM_LIST = (
    *(Program(file) for file in GUILTY),
    Program("burst.c", "trim_threshold=0"),
    Program("queue.c", "mmap_threshold=4096"),
    Program("table.c", "Nothing to gain: "),
)


def explained(path: Path, subject: str, seconds: float = 1e6) -> Explanation:
    """Explain a recording at its worst moment, by call site."""

    def opened() -> Trace:
        """Open the recording."""
        return open_workload(str(path), sites=True)

    where = subject_called(subject, opened, Conditions(timeout=600))
    return explain(where, Question(by=("site",), seconds=seconds), opened)[0]


def faults(program: Program, found: Explanation) -> list[str]:
    """Return the faults of the explanation of a program; [] if it has the right answer."""
    if program.guilty is None:
        said = any(program.answer in sentence for sentence in found.sentences)
        return [] if said else [f"no sentence has {program.answer!r}: {found.sentences}"]
    first = found.owners[0]
    replays = [each for each in found.what_ifs if each.kind in ("never", "own heap")]
    wrong = [] if first.name.endswith(program.guilty) else [f"{first.name} is first"]
    wrong += [f"{each.what}: {each.change:,}" for each in replays if -each.change * 5 < first.owned]
    named = any(program.guilty in sentence for sentence in found.sentences)
    return wrong if named and len(replays) == 2 else [*wrong, f"not named: {found.sentences}"]
