"""The memray recorder, for programs run by a Python that has memray installed.

memray runs inside the interpreter: `python SCRIPT` becomes `python MEMRAY run SCRIPT`. A command
line that cannot be rewritten with certainty is not recorded. memray does not record what the
interpreter allocated before memray was started.

Two interpreters need the same version of memray: the program's, and allocsim's, which reads the
capture (memray's file).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from allocsim.capabilities import Capabilities
from allocsim.recorders.base import Recorder, RecorderFailed, Request, reads_file
from allocsim.recorders.program import Outcome, run_program
from allocsim.recorders.python_packages import how_to_install, main_of, version_in

RUN = ("run", "--quiet", "--no-compress")
"""Command and options of memray."""

PYTHON_ALLOCATORS = "--trace-python-allocators"
"""memray's option to record Python's own allocators. The option of allocsim has the same name."""

_PYTHON = re.compile(r"python[\d.]*")

_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
"""Python's options that take the next argument as their value."""

_FILE = "memray.bin"


def unsuited(request: Request) -> str | None:
    """Return why memray cannot record the program, or None if it can."""
    if not _PYTHON.fullmatch(request.program.name):
        return "memray records Python only: allocsim record --with memray -- python3 SCRIPT"
    if _count_options(request.program.arguments[1:]) is None:
        return "memray needs a script, -m MODULE or -c COMMAND, after any options of Python"
    return None


def missing(request: Request) -> str | None:
    """Return which interpreter lacks the right memray, with the command that installs it.

    Returns None if both interpreters have the same version of memray.
    """
    theirs, ours = (
        version_in(python, "memray") for python in (request.program.file, sys.executable)
    )
    if theirs is None:
        if ours is not None:
            other = f", or record with {sys.executable}, allocsim's own Python, which has memray"
        else:
            other = ""
        return (
            f"{request.program.file} has no memray: "
            f"{how_to_install('memray', request.program.file)}{other}"
        )
    if ours is None:
        command = how_to_install(f"memray=={theirs}", sys.executable)
        return (
            f"{sys.executable}, which runs allocsim and reads the capture, has no memray: {command}"
        )
    if ours != theirs:
        command = how_to_install(f"memray=={ours}", request.program.file)
        return (
            f"{request.program.file} has memray {theirs}, but {sys.executable}, which reads the "
            f"capture, has memray {ours}: {command}"
        )
    return None


def run(request: Request, directory: Path) -> Outcome:
    """Run the program under memray."""
    command, *words = request.program.arguments
    options = _count_options(words) or 0
    allocators = [PYTHON_ALLOCATORS] if request.python_allocators else []
    main = main_of(request.program.file, "memray")
    if main is None:
        raise RecorderFailed(missing(request) or "memray is not installed")
    memray = [main, *RUN, *allocators, "-o", str(directory / _FILE)]
    arguments = [command, *words[:options], *memray, *words[options:]]
    return run_program(request.program, {}, arguments=arguments)


def _count_options(arguments: Sequence[str]) -> int | None:
    """Return the number of arguments at the beginning that are Python's own options.

    Returns None if no script, -m or -c follows the options, or if -m or -c is joined with other
    text, as in -mMODULE.
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
    summary="malloc calls of a Python program with their threads, except calls of Python's startup",
    install="pip install memray",
    capabilities=Capabilities(
        threads="yes", thread_ends="no", reallocs="no", aligned_calls="partly"
    ),
    missing=missing,
    unsuited=unsuited,
    run=run,
    read=reads_file(_FILE),
    read_with_sites=reads_file(_FILE, sites=True),
    records_sites=True,
    sees_python_objects=True,
)
