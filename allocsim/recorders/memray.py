"""The memray recorder, for programs run by a Python that has memray installed.

memray runs inside the interpreter: `python SCRIPT` becomes `python -m memray run SCRIPT`. It
records what the Python process allocates once memray is active, not what the interpreter allocated
before. A command line that cannot be rewritten with certainty is not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from allocsim.recorders.base import Recorder, reads_file, run_command
from allocsim.recorders.program import Outcome, Program, run_program

INSTALL = "pip install memray"

RUN = ("-m", "memray", "run", "--quiet", "--no-compress", "-o")

_PYTHON = re.compile(r"python[\d.]*")

_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
"""Python's options that take the next argument as their value."""

_FILE = "memray.bin"


def missing(program: Program) -> str | None:
    """Return why memray cannot record the program, with the remedy, or None if it can."""
    if not _PYTHON.fullmatch(program.name):
        return "memray records Python only: allocsim record --with memray -- python3 SCRIPT"
    if _count_options(program.arguments[1:]) is None:
        return "memray needs a script, -m MODULE or -c COMMAND, with Python's options before it"
    if run_command(program.file, "-c", "import memray").returncode != 0:
        return f"memray is not installed for {program.file}: {program.file} -m {INSTALL}"
    if find_spec("memray") is None:
        return f"memray is not installed for allocsim's own Python, which reads it: {INSTALL}"
    return None


def run(program: Program, directory: Path) -> Outcome:
    """Run the program under memray."""
    given = program.arguments[1:]
    options = _count_options(given) or 0
    tracked = [*given[:options], *RUN, str(directory / _FILE), *given[options:]]
    return run_program(program, {}, [program.arguments[0], *tracked])


def _count_options(arguments: Sequence[str]) -> int | None:
    """Count the leading arguments that are Python's own options.

    Returns None if no script, -m or -c follows them, or if -m or -c is joined with other letters.
    """
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
    summary="malloc calls of a Python program once it runs, with threads",
    install=INSTALL,
    missing=missing,
    run=run,
    read=reads_file(_FILE),
)
