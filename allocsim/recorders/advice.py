"""What a user should know of a recording besides its figures: what its recorder could not see.

Below `record`, which tells it. Its one rule: it is said only where it may be so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from allocsim.recorders.program import Ended, Program

BECOMING = ("env", "nice", "nohup", "setsid", "stdbuf", "time", "timeout")
"""Programs whose purpose is to become, or to start, another."""


def advice_on(program: Program, recorder: str, ended: Ended) -> Iterator[str]:
    """Each thing to know of a program that the recorder of that name has recorded."""
    if recorder == "heaptrack" and ended.status > 128:
        yield "heaptrack's buffer is lost with the program: its last calls are missing"
    if recorder in ("heaptrack", "mtrace") and _may_become_another(program):
        yield f"should {program.name} become another program (exec), {recorder} sees none of that"
    if recorder != "memray" and program.name.startswith("python") and not _shows_objects():
        yield "Python's objects come from pools of its own: PYTHONMALLOC=malloc shows each"


def _may_become_another(program: Program) -> bool:
    """Whether the program is a script, or one of BECOMING."""
    try:
        with Path(program.file).open("rb") as file:
            return program.name in BECOMING or file.read(2) == b"#!"
    except OSError:
        return False


def _shows_objects() -> bool:
    """Whether Python has been told to take each object from malloc."""
    return os.environ.get("PYTHONMALLOC", "").startswith("malloc")
