"""Pages of documentation: run their Python blocks, each of which is followed by its output."""

import re
from contextlib import redirect_stdout
from io import StringIO
from typing import NamedTuple

from tests.conftest import REPOSITORY

_STEP = re.compile(r"```python\n(.*?)```\n\n```(text|text varies)\n(.*?)```", re.DOTALL)
_TIME = re.compile(r"[\d.]+ ns/event")


class Step(NamedTuple):
    """A block, and its output as the page shows it."""

    code: str
    kind: str
    """"text", or "text varies" if the numbers differ from run to run."""
    shown: str


def steps_of(page: str) -> list[Step]:
    """Return the blocks of a page in docs/, each of which must have its output."""
    text = (REPOSITORY / "docs" / page).read_text("utf-8")
    steps = [Step(*found) for found in _STEP.findall(text)]
    assert len(steps) == text.count("```python") > 0
    return steps


def assert_prints_what_it_shows(page: str) -> None:
    """Run the blocks of a page one after another, and compare the output of each."""
    names: dict[str, object] = {}
    for number, (code, kind, shown) in enumerate(steps_of(page), start=1):
        output = StringIO()
        with redirect_stdout(output):
            exec(compile(code, f"{page}, block {number}", "exec"), names)
        varies = kind == "text varies"
        printed, expected = (_without_figures(text, varies) for text in (output.getvalue(), shown))
        assert printed == expected, f"{page}, block {number}: {output.getvalue()}"


def _without_figures(text: str, varies: bool) -> str:
    """Replace figures that differ between runs: times, and all numbers of a block that varies."""
    return re.sub(r"[\d,.]*\d", "N", text) if varies else _TIME.sub("T ns/event", text)
