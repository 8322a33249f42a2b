"""A small allocsim trace for the tests."""

from pathlib import Path
from typing import Any

import pytest

from allocsim.traces.native.file import write_trace
from tests.traces.streams import trace_of, valid_calls

CALLS = valid_calls(1, 40)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A small trace in a file."""
    path = tmp_path / "small.allocsim"
    known: dict[str, Any] = {"seed": 9, "dropped": {"overlap": 2}, "notes": ["a note"]}
    write_trace(trace_of(CALLS, **known), path)
    return path
