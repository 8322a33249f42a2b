"""Help: `allocsim help`, its topics, and how help is laid out."""

import re

import click
import pytest
from click.testing import CliRunner

from allocsim.capabilities import OF_FORMATS
from allocsim.cli import COMMANDS, cli, trace
from allocsim.cli.topics import TOPICS
from allocsim.profile import PART_MEANINGS
from allocsim.traces.readers import FORMATS
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


def listed_formats(page: str, first: str, last: str) -> set[str]:
    """The names of formats between two phrases of a page."""
    text = " ".join(page.split()).partition(first)[2].partition(last)[0]
    return {form.name for form in FORMATS if re.search(rf"(?<![\w-]){form.name}(?![\w-])", text)}


def test_formats_say_of_every_format_whether_it_has_threads(run: Run) -> None:
    page = run("help formats").out
    with_threads = listed_formats(page, "Threads are recorded in", "but not in")
    without = listed_formats(page, "but not in", "If a recording")
    assert with_threads | without == {form.name for form in FORMATS}
    assert with_threads & without == set()
    for name, capabilities in OF_FORMATS.items():
        assert name in (with_threads if capabilities.threads == "yes" else without)


EXTRAS = {"html": "pictures", "svg": "pictures", "png": "pictures", "cluster": "cluster"} | {
    "export_parquet": "parquet"
}
"""The extra that each option needs."""


def test_option_that_needs_an_extra_names_it() -> None:
    seen = set()
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        for option in command.params if command else ():
            if option.name in EXTRAS and isinstance(option, click.Option):
                assert option.help is not None
                assert f"; needs allocsim[{EXTRAS[option.name]}]." in option.help, (name, option)
                seen.add(option.name)
    assert seen == set(EXTRAS)


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
