"""memray's recorder, for programs that are run by a Python which has memray.

A recorder, and the last: it sees what Python's own process asks of malloc once memray is at work,
not what the interpreter asked before. It has to run inside: `python SCRIPT` becomes `python -m
memray run SCRIPT`. Its one rule: a command line that is not understood is not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

from allocsim.events import Trace
from allocsim.recorders.base import Recorder, answer, recorded
from allocsim.recorders.program import Ended, Program, run_program

INSTALL = "pip install memray"

RUN = ("-m", "memray", "run", "--quiet", "--no-compress", "-o")

_PYTHON = re.compile(r"python[\d.]*")

_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
"""Python's options that take the next word."""

_FILE = "memray.bin"


def lacks(program: Program) -> str | None:
    """What is missing to record the program with memray."""
    if not _PYTHON.fullmatch(program.name):
        return "memray records Python only: allocsim record --with memray -- python3 SCRIPT"
    if _options_of(program.arguments[1:]) is None:
        return "memray needs a script, -m MODULE or -c COMMAND, with Python's options before it"
    if answer(program.file, "-c", "import memray").returncode != 0:
        return f"{program.file} has no memray: {program.file} -m {INSTALL}"
    if find_spec("memray") is None:
        return f"allocsim's own Python has no memray to read it with: {INSTALL}"
    return None


def run(program: Program, place: Path) -> Ended:
    """Run the program inside memray."""
    given = program.arguments[1:]
    options = _options_of(given) or 0
    tracked = [*given[:options], *RUN, str(place / _FILE), *given[options:]]
    return run_program(program, {}, [program.arguments[0], *tracked])


def read(place: Path, _: Ended) -> AbstractContextManager[Trace]:
    """The trace of the capture."""
    return recorded(place / _FILE)


def _options_of(arguments: Sequence[str]) -> int | None:
    """How many words are options of Python itself; None if no script, module or command follows."""
    position = 0
    while position < len(arguments):
        word = arguments[position]
        if word in ("-c", "-m") or not word.startswith("-"):
            return position
        if word == "-" or (not word.startswith("--") and re.search("[cm]", word[1:])):
            return None
        position += 2 if word in _WITH_VALUE else 1
    return None


RECORDER = Recorder(
    name="memray",
    why="what a Python program asks of malloc once it runs, with its thread",
    install=INSTALL,
    lacks=lacks,
    run=run,
    read=read,
)
