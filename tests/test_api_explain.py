"""`allocsim.explain` gives the same result as the command, as a dict, a table and HTML."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import allocsim
from allocsim.call_sites.table import table_of_addresses
from allocsim.errors import AllocsimError, InputError, UnknownName
from allocsim.explanation.stacks import MEASURES
from allocsim.traces.native.file import write_trace
from tests.call_sites.stacks import FRAMES, with_sites
from tests.driving import malloc
from tests.playing import toggling, trace_of
from tests.reports.profiles import Profile
from tests.test_api import CALLS, JOB, printed


@pytest.fixture(autouse=True)
def _in_empty_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test in a directory that has only a recording."""
    monkeypatch.chdir(tmp_path)
    Path("mine.txt").write_text(CALLS)


def test_explanation_is_what_explain_prints() -> None:
    found = allocsim.explain("mine.txt", "tcmalloc", at=2, by="size,thread", seconds=0)
    shown = printed("explain mine.txt --on tcmalloc --at 2 --by size,thread --no-what-if")
    result = found.as_dict()
    command = "allocsim.explain('mine.txt', on='tcmalloc', at=2, by='size,thread', seconds=0)"
    assert result.pop("command") == command
    shown.pop("command")
    assert result == shown


def test_groupings_are_read_as_the_command_reads_them() -> None:
    found = allocsim.explain("mine.txt", "go2008", at=2, by=" size, ,thread", seconds=0)
    assert [*dict.fromkeys(found.table["by"].tolist())] == ["size", "thread"]


def test_table_has_a_row_for_each_owner() -> None:
    found = allocsim.explain("mine.txt", "go2008", at="end", by=["size"])
    (row,) = found.table
    assert (row["by"], row["name"], row["objects"], row["live"]) == ("size", "104 B", 1, 100)
    assert row["slabs"] == -1
    assert row["owned"] == found.explanation.owners[0].owned
    assert sum(found.parts.values()) == found.moment.footprint
    assert {each.kind for each in found.what_ifs} >= {"release", "freed", "never"}
    assert found.sentences


def test_result_is_shown_as_text_and_as_html() -> None:
    found = allocsim.explain("mine.txt", "go2008", at="50%", by="size,lifetime", seconds=0)
    assert repr(found).startswith("<Explanation mine.txt on go2008, at 50.0% (event 1): ")
    html = found._repr_html_()
    assert html.count("<table") == 2
    assert "owner, by lifetime" in html
    assert "<p>" in html


def test_names_from_a_recording_are_text_in_html() -> None:
    frame = FRAMES[1]._replace(function="<script>alert(1)</script>")
    table = table_of_addresses([0, 0], [0, 0], [[frame]])
    write_trace(with_sites([malloc(0, 100)], table, [1]), Path("mine.allocsim"))
    found = allocsim.explain("mine.allocsim", "go2008", at="end", seconds=0)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; app.cpp:19" in found._repr_html_()
    assert "<script>" not in found._repr_html_()


def test_call_sites_of_a_recording_are_found_also_if_it_is_open() -> None:
    table = table_of_addresses([0, 0, 0], [0, 0, 1], [[FRAMES[1]], [FRAMES[5]]])
    write_trace(with_sites([malloc(0, 100), malloc(1, 8)], table, [1, 2]), Path("mine.allocsim"))
    for source in ("mine.allocsim", allocsim.open_trace("mine.allocsim")):
        found = allocsim.explain(source, "go2008", at="end", seconds=0, stacks=True)
        assert found.table["by"].tolist() == ["site", "site", "size", "size"]
        samples = Profile(found.pprof()).samples
        assert sum(values[MEASURES.index("live")] for _, values in samples) == 108


def test_trace_that_can_be_read_once_is_explained_once() -> None:
    trace = trace_of()
    trace.chunks = (chunk for chunk in [toggling(10)])
    assert allocsim.explain(trace, "go2008", seconds=0).moment.footprint
    with pytest.raises(InputError, match="have been read"):
        allocsim.explain(trace, "go2008")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: allocsim.explain(JOB, "nosuch"), "unknown subject 'nosuch'"),
        (lambda: allocsim.explain(JOB, 5), "on is 5 .int.; expected a str"),  # type: ignore[arg-type]
        (lambda: allocsim.explain(JOB, "go2008", at="soon"), "invalid moment 'soon'"),
        (lambda: allocsim.explain(JOB, "go2008", at=()), "at is .*; expected an integer"),  # type: ignore[arg-type]
        (lambda: allocsim.explain(JOB, "go2008", at=-1), "at is -1; expected 0 to"),
        (lambda: allocsim.explain(JOB, "go2008", at=10**5000), "at is 0x.*; expected 0 to"),
        (lambda: allocsim.explain(JOB, "go2008", at="mean"), "not a single moment"),
        (lambda: allocsim.explain(JOB, "go2008", at="1s"), "no times"),
        (lambda: allocsim.explain(JOB, "go2008", by="colour"), "unknown grouping 'colour'"),
        (lambda: allocsim.explain(JOB, "go2008", by="site"), "no call sites"),
        (lambda: allocsim.explain(JOB, "go2008", what_if="7 B"), "unknown group '7 B'"),
        (lambda: allocsim.explain(JOB, "go2008", seconds=-1), "seconds is -1"),
        (lambda: allocsim.explain(JOB, "go2008", touch="all"), "touch is 'all'"),
        (lambda: allocsim.explain(JOB, "go2008", seconds=0).pprof(), "stacks=True"),
        (lambda: allocsim.explain(JOB, "go2008", stacks=True), "no call sites"),
    ],
)
def test_wrong_argument_is_an_input_error(call: Callable[[], Any], reason: str) -> None:
    with pytest.raises((InputError, UnknownName), match=reason):
        call()


@pytest.mark.parametrize("subject", [3, "x", "go2008:x=1"], ids=str)
def test_file_of_a_refused_explanation_is_closed(subject: Any) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(AllocsimError) as error:
        allocsim.explain("mine.txt", subject)
    assert error.tb  # keeps the local variables of explain alive: no file is closed by chance
    assert sorted(Path("/proc/self/fd").iterdir()) == before
