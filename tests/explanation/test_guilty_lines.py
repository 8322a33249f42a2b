"""`explain` on programs for which it is known what pins memory: a line, a setting, or nothing."""

from pathlib import Path

import pytest

from tests.explanation.guilty import PROGRAM_LIST, Program, explained, faults

COUNT = 3000
"""Number of objects that a program allocates: enough for effects that exceed the noise."""


@pytest.mark.compiled
@pytest.mark.parametrize("program", PROGRAM_LIST, ids=lambda program: program.file)
def test_explanation_on_glibc_has_the_answer(program: Program, tmp_path: Path) -> None:
    recording = program.record(tmp_path / "place", COUNT)
    assert faults(program, explained(recording, "glibc")) == []
