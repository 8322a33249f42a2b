"""Help: `allocsim help`, its topics, and how help is laid out."""

import pytest
from click.testing import CliRunner

from allocsim.cli import COMMANDS, cli, trace
from allocsim.cli.topics import TOPICS
from allocsim.profile import PART_MEANINGS
from tests.cli.conftest import Run

PAGES = [["help", topic] for topic in TOPICS]
HELPS = [[name, "--help"] for name in COMMANDS] + [
    ["trace", name, "--help"] for name in trace.COMMANDS
]


def test_help_lists_every_topic(run: Run) -> None:
    ended = run("help")
    assert (ended.status, ended.err) == (0, "")
    assert all(f"  {topic} " in ended.out for topic in TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_a_page(run: Run, topic: str) -> None:
    ended = run(f"help {topic}")
    assert (ended.status, ended.err) == (0, "")
    assert len(ended.out.splitlines()) > 10


def test_unknown_topic_suggests_the_nearest(run: Run) -> None:
    ended = run("help figure")
    assert (ended.status, ended.out) == (2, "")
    assert "unknown topic 'figure' (did you mean 'figures'?)" in ended.err


def test_figures_explain_every_part(run: Run) -> None:
    out = run("help figures").out
    names = (*PART_MEANINGS, "heap", "metadata", "footprint", "resident", "fragmentation")
    assert all(f"  {name} " in out for name in names)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"], *PAGES, *HELPS], ids=" ".join)
@pytest.mark.parametrize("width", [58, 60, 100])
def test_help_fits_and_breaks_no_word(arguments: list[str], width: int) -> None:
    options = {"COLUMNS": str(width)}
    shown = CliRunner().invoke(cli, arguments, env=options, terminal_width=width).output
    whole = CliRunner().invoke(cli, arguments, env={"COLUMNS": "100"}, terminal_width=100).output
    lines = shown.splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert {*shown.split()} == {*whole.split()}
    examples = [line for line in lines if line.startswith("    ") and len(line.split()) > 1]
    assert max(len(line) for line in lines if line not in examples) <= width
