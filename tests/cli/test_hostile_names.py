"""Names in a trace that are markup or escape sequences: every command shows them as plain text."""

from pathlib import Path

import pytest

from allocsim.traces.native.file import write_trace
from tests.cli.conftest import Run
from tests.driving import free, malloc
from tests.reports.test_markdown import kinds_of
from tests.traces.streams import trace_of

LINK = "[link=http://evil.example/]click[/link] [blink red reverse]FAKE[/]"
NAMES = (LINK, "[conceal]hidden[/conceal]", "[/x]", "red\x1b[31m", "two\nlines", "\x9b31m")

COMMANDS = (
    "trace info {0}",
    "trace check {0}",
    "trace info --json {0}",
    "trace convert {0} {1}.txt",
    "trace convert {0} {1}.allocsim",
    "trace cut {0} {1}.allocsim --to 2",
    "trace sample {0} {1}.allocsim --keep 100%",
    "replay {0}",
    "replay {0} --json",
    "replay {0} --export-markdown {1}.md",
)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A trace whose reasons for dropped calls and whose notes are hostile."""
    path = tmp_path / "hostile.allocsim"
    dropped = {name: number + 1 for number, name in enumerate(NAMES)}
    calls = [malloc(0, 100), free(0)]
    write_trace(trace_of(calls, dropped=dropped, notes=list(NAMES)), path)
    return path


def require_plain(text: str) -> None:
    """Fail if a text has a control character, apart from the ends of lines."""
    assert all(line.isprintable() for line in text.splitlines())
    assert not {"lines", "lines 5"} & {line.strip() for line in text.splitlines()}


@pytest.mark.parametrize("line", COMMANDS)
def test_names_of_dropped_calls_are_plain_text(run: Run, hostile: Path, line: str) -> None:
    ended = run(line.format(hostile, "copy"))
    assert ended.status == 0, ended.err
    require_plain(ended.out)
    require_plain(ended.err)


@pytest.mark.parametrize("line", ["trace info {0}", "trace check {0}", "replay {0}"])
def test_report_shows_markup_literally(
    run: Run, hostile: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "1000")
    ended = run(line.format(hostile))
    assert LINK in ended.out
    assert "two\\nlines" in ended.out
    assert "\x1b]8;" not in ended.out


FILE_NAME = "<b>| [x](y) |\n# *two* |---|.allocsim"
"""The name of a file that would be a heading, a link, HTML and a row of a table."""


@pytest.mark.parametrize("line", ["replay", "compare --on lib:glibc --runs 1 --warmup 0"])
def test_markdown_of_a_hostile_trace_has_the_markup_of_a_usual_one(
    run: Run, tmp_path: Path, line: str
) -> None:
    kinds = []
    for name, losses in (("usual.allocsim", ["lost"] * len(NAMES)), (FILE_NAME, list(NAMES))):
        write_trace(trace_of([malloc(0, 100), free(0)], losses=losses), tmp_path / name)
        ended = run(f"{line} --export-markdown out.md", name)
        assert ended.status == 0, ended.err
        require_plain(ended.out)
        require_plain(ended.err)
        kinds.append(kinds_of(Path("out.md").read_text()))
    assert kinds[0] == kinds[1]
