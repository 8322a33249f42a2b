"""docs/tour.md: every block runs and prints what is shown below it."""

import re
from contextlib import redirect_stdout
from io import StringIO

import pytest

from allocsim.core.jit import PURE
from tests.conftest import REPOSITORY

TOUR = (REPOSITORY / "docs" / "tour.md").read_text("utf-8")
STEPS = re.findall(r"```python\n(.*?)```\n\n```(text|text varies)\n(.*?)```", TOUR, re.DOTALL)
TIME = re.compile(r"[\d.]+ ns/event")


def without_figures(text: str, varies: bool) -> str:
    """Replace what differs between runs: times, and in a block that varies every number."""
    return re.sub(r"[\d,.]*\d", "N", text) if varies else TIME.sub("T ns/event", text)


def test_every_block_has_its_output() -> None:
    assert len(STEPS) == TOUR.count("```python") >= 8


@pytest.mark.skipif(PURE, reason="whole workloads take minutes as plain Python")
def test_tour_prints_what_it_shows() -> None:
    names: dict[str, object] = {}
    for number, (code, kind, shown) in enumerate(STEPS, start=1):
        output = StringIO()
        with redirect_stdout(output):
            exec(compile(code, f"tour.md, block {number}", "exec"), names)
        varies = kind == "text varies"
        assert without_figures(output.getvalue(), varies) == without_figures(shown, varies)
