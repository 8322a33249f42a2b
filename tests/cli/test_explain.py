"""`allocsim explain`: its JSON object, its report, and wrong options."""

import json
from pathlib import Path

import pytest

from allocsim.call_sites.table import table_of_addresses
from allocsim.traces.native.file import write_trace
from tests.call_sites.stacks import FRAMES, with_sites
from tests.cli.conftest import TEXT, File, Run
from tests.conftest import REPOSITORY
from tests.driving import malloc
from tests.pipes import filled_pipe
from tests.reports import profiles
from tests.reports.documented import undocumented

PROMISED = {
    "moments", "moment", "subject", "footprint", "parts", "owners", "unowned", "what_if",
    "sentences",
}  # fmt: skip
EXTRAS = {
    "schema", "version", "command", "workload", "dropped", "notes", "warnings", "unit", "threads",
    "top", "nobody",
}  # fmt: skip
OWNER = {"by", "name", "objects", "live", "rounding", "pinned", "owned", "only", "some"}


def test_json_has_the_promised_keys_and_sums(run: Run, text: Path) -> None:
    ended = run(f"explain {text} --on tcmalloc --by size,thread --at 2 --json")
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    assert set(found) == PROMISED | EXTRAS
    assert found["moment"]["event"] == 2
    assert sum(found["parts"].values()) == found["footprint"]
    for by in ("size", "thread"):
        rows = [row for row in found["owners"] if row["by"] == by]
        assert (
            sum(row["owned"] for row in rows) + sum(found["unowned"].values())
            == (found["footprint"])
        )
    assert all(set(row) == OWNER | {"untouched", "slabs"} for row in found["owners"])
    assert all({"what", "footprint", "change", "how"} < set(row) for row in found["what_if"])
    assert found["sentences"]
    assert found["nobody"] == found["unowned"]
    assert undocumented(found, (REPOSITORY / "docs/explanation-schema.md").read_text()) == set()


def test_report_shows_moments_owners_experiments_and_a_sentence(run: Run, text: Path) -> None:
    ended = run(f"explain {text} --on go2008")
    assert ended.status == 0, ended.err
    for part in (
        "> worst",
        "part of the footprint",
        "by lifetime",
        "what if",
        "allocator metadata",
    ):
        assert part in ended.out


def test_workload_from_standard_input_is_kept(
    run: Run, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with text.open("rb") as file:
        monkeypatch.setattr("sys.stdin", file)
        ended = run("explain - --on go2008 --no-what-if")
    assert ended.status == 0, ended.err
    assert "what if" not in ended.out


def test_workload_from_a_pipe_is_kept(run: Run, text: Path) -> None:
    with filled_pipe(text.read_bytes()) as path:
        ended = run(f"explain {path} --on glibc --no-what-if")
    assert ended.status == 0, ended.err
    assert "free bytes of pages" in ended.out.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--by colour", "unknown grouping 'colour'"),
        ("--on nosuch", "unknown subject 'nosuch'"),
        ("--at mean", "not a single moment"),
        ("--at 1e9", "after the last one"),
        ("--at 1s", "the recording has no times"),
        ("--what-if 9", "unknown group '9'"),
    ],
)
def test_wrong_option_is_a_usage_error(run: Run, text: Path, options: str, said: str) -> None:
    ended = run(f"explain {text} --on go2008 {options}")
    assert ended.status == 2
    assert said in ended.err


def test_exports_need_call_sites(run: Run, text: Path, tmp_path: Path) -> None:
    ended = run(f"explain {text} --on go2008 --no-what-if --pprof x.pb.gz")
    assert ended.status == 2
    assert "`allocsim record --sites` records them" in ended.err
    assert not (tmp_path / "x.pb.gz").exists()


def test_exports_are_the_owners_by_stack(run: Run, tmp_path: Path) -> None:
    table = table_of_addresses([0, 0, 0], [0, 0, 1], [[FRAMES[1]], [FRAMES[5]]])
    trace = with_sites([malloc(0, 100), malloc(1, 50), malloc(2, 30)], table, [1, 2, 1])
    write_trace(trace, tmp_path / "mine.allocsim")
    ended = run(
        "explain mine.allocsim --on go2008 --at end --no-what-if --json --pprof x.pb.gz "
        "--collapsed x.txt --measure live"
    )
    assert ended.status == 0, ended.err
    assert "wrote x.pb.gz\nwrote x.txt\n" in ended.err
    assert (tmp_path / "x.txt").read_text() == "serve app.cpp:19 130\nremember p.py:6 50\n"
    found = profiles.Profile((tmp_path / "x.pb.gz").read_bytes())
    owned = sum(values[-1] for _, values in found.samples)
    assert owned == json.loads(ended.out)["footprint"]


def test_two_exports_to_one_file_are_a_usage_error(run: Run, text: Path) -> None:
    ended = run(f"explain {text} --pprof x --collapsed ./x")
    assert ended.status == 2
    assert "given for two exports" in ended.err


def test_two_workloads_are_shown_side_by_side(run: Run, text: Path, file: File) -> None:
    file("more.txt", TEXT + "".join(f"7: malloc {at + 4096:#x} 4000000\n" for at in range(10)))
    ended = run(f"explain {text} more.txt --on go2008 --at end")
    assert ended.status == 0, ended.err
    assert (
        "mine.txt at end (event 6) and more.txt at end (event 16), on go2008"
        in ended.out.replace("\n", " ")
    )
    assert "The footprint grew by" in ended.out
    assert "is new and owns" in ended.out
    assert "The workloads have 6 and 16 events." in ended.out


def test_json_of_two_workloads_has_both_and_their_changes(run: Run, text: Path) -> None:
    ended = run(f"explain {text} {text} --on tcmalloc --json")
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    assert set(found) == {
        "schema", "version", "command", "before", "after", "footprint", "live", "parts", "owners",
        "sentences",
    }  # fmt: skip
    assert set(found["before"]) == set(found["after"]) == PROMISED | EXTRAS
    assert found["footprint"]["change"] == 0
    assert {row["by"] for row in found["owners"]} == {"size", "lifetime"}
    for row in found["owners"]:
        assert row["before"] == row["after"]
        assert set(row) == {"by", "name", "before", "after", "change", "noise"}
    assert found["sentences"][0].startswith("The footprint is the same within noise")
    assert undocumented(found, (REPOSITORY / "docs/explanation-schema.md").read_text()) == set()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a b c", "expected one or two workloads; found 3"),
        ("a b --no-what-if", "--no-what-if needs a single workload"),
        ("a b --seconds 3", "--seconds needs a single workload, or --what-if"),
        ("a b --pprof x", "--pprof needs a single workload"),
    ],
)
def test_two_workloads_have_no_exports(run: Run, line: str, said: str) -> None:
    ended = run(f"explain {line}")
    assert ended.status == 2
    assert said in ended.err


def test_experiments_on_two_workloads_are_next_to_each_other(run: Run, text: Path) -> None:
    ended = run("explain", str(text), str(text), "--on", "go2008", "--what-if", "8 B")
    assert ended.status == 0, ended.err
    (row,) = [line for line in ended.out.splitlines() if "never allocate '8 B'" in line]
    words = row.partition("'8 B'")[2].split()
    assert words[: len(words) // 2] == words[len(words) // 2 :]


def test_group_that_neither_workload_has_is_an_error(run: Run, text: Path) -> None:
    ended = run("explain", str(text), str(text), "--on", "go2008", "--what-if", "17 B")
    assert ended.status == 2
    assert "unknown group '17 B'" in ended.err


def test_group_is_checked_before_any_experiment(
    run: Run, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("allocsim.explanation.what_if.Experiments.results")
    for names in ([str(text)], [str(text), str(text)]):
        ended = run("explain", *names, "--on", "go2008", "--what-if", "17 B")
        assert (ended.status, "unknown group '17 B'" in ended.err) == (2, True)


def test_second_workload_is_opened_before_the_first_is_replayed(
    run: Run, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("allocsim.explanation.on_design.OnDesign.moments")
    ended = run(f"explain {text} nosuch.txt --on go2008")
    assert ended.status == 2
    assert "nosuch.txt" in ended.err


def test_report_says_on_which_threads_the_replay_was(run: Run, text: Path) -> None:
    for option, said in (("recorded", "Replayed on the 2 recorded threads.\n"), ("one", "on one.")):
        ended = run(f"explain {text} --on go2008 --no-what-if --threads {option}")
        assert said in ended.out, ended.err


def test_export_that_fails_comes_after_the_report(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allocsim.reports.collapsed_stacks.MAX_LENGTH", 3)
    table = table_of_addresses([0, 0], [0, 0], [[FRAMES[1]]])
    write_trace(with_sites([malloc(0, 100)], table, [1]), tmp_path / "mine.allocsim")
    ended = run("explain mine.allocsim --on go2008 --no-what-if --collapsed x.txt --pprof x.pb")
    assert ended.status == 2
    assert "owner, by call site" in ended.out
    assert "the collapsed stacks are longer than" in ended.err
    assert (Path("x.pb").exists(), Path("x.txt").exists()) == (True, False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--no-what-if --what-if X", "--what-if needs experiments; omit --no-what-if"),
        ("--no-what-if --seconds 5", "--seconds needs experiments; omit --no-what-if"),
        ("--measure live", "--measure needs --collapsed FILE"),
        ("- -", "standard input can be read only once"),
    ],
)
def test_option_without_effect_is_an_error(run: Run, text: Path, options: str, said: str) -> None:
    ended = run(f"explain {options}" if options == "- -" else f"explain {text} {options}")
    assert ended.status == 2
    assert said in ended.err


@pytest.mark.parametrize(
    ("options", "said"),
    [("--at 1", "empty.txt: the trace is empty"), ("--by site", "mine.txt: the recording has no")],
)
def test_error_names_one_of_two_workloads(
    run: Run, text: Path, file: File, options: str, said: str
) -> None:
    other = file("empty.txt", "" if "--at" in options else TEXT)
    ended = run(f"explain {text.name} {other.name} --on go2008 {options}")
    assert ended.status == 2
    assert ended.err.startswith(f"allocsim: error: {said}")


def test_pictures_need_an_optional_package(
    run: Run, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allocsim.pictures.render.find_spec", lambda _: None)
    ended = run(f"explain {text} --on go2008 --html page.html")
    assert ended.status == 3
    assert ended.err.endswith(
        "pictures need the package vl-convert-python; install it with: "
        "pip install 'allocsim[pictures]'\n"
    )
    assert not Path("page.html").exists()


def test_page_is_written_to_its_file(run: Run, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allocsim.pictures.render.find_spec", lambda _: True)
    monkeypatch.setattr("allocsim.pictures.page.html_of", lambda page: f"<h1>{page.title}</h1>")
    ended = run(f"explain {text} --on go2008 --no-what-if --html page.html")
    assert ended.status == 0, ended.err
    assert Path("page.html").read_text() == f"<h1>{text} on go2008</h1>\n"
    assert "wrote page.html" in ended.err


def test_map_shows_the_footprint_over_time_and_the_heap(run: Run, text: Path) -> None:
    ended = run(f"explain {text} --on go2008 --no-what-if --map")
    assert ended.status == 0, ended.err
    for part in ("full block: ", "events", "heap map: a row of cells is ", "over 75% live"):
        assert part in ended.out
