"""Recorded programs with a known answer: a line, a setting of the allocator, or nothing."""

from pathlib import Path

import pytest

from allocsim.core.jit import PURE
from tests.explanation.guilty import PROGRAM_LIST, Program, explained, faults

COUNT = 500 if PURE else 3000
"""Objects that a program allocates. They are so many that a change exceeds the noise."""

CHOSEN = PROGRAM_LIST[:1] if PURE else PROGRAM_LIST
"""In pure mode, replays take many seconds for each program."""


@pytest.mark.slow
@pytest.mark.parametrize("program", CHOSEN, ids=lambda program: program.file)
def test_explanation_on_glibc_has_the_answer(program: Program, tmp_path: Path) -> None:
    recording = program.record(tmp_path / "place", COUNT)
    assert faults(program, explained(recording, "glibc")) == []
