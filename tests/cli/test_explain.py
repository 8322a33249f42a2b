"""`allocsim explain`: its JSON object, its report, and wrong options."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.pipes import filled_pipe

PROMISED = {
    "moments", "moment", "subject", "footprint", "parts", "owners", "nobody", "what_if",
    "sentences",
}  # fmt: skip
EXTRAS = {"schema", "version", "command", "workload", "dropped", "notes", "warnings", "unit"}
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
            sum(row["owned"] for row in rows) + sum(found["nobody"].values())
            == (found["footprint"])
        )
    assert all(set(row) == OWNER | {"untouched", "slabs"} for row in found["owners"])
    assert all({"what", "footprint", "change", "how"} < set(row) for row in found["what_if"])
    assert found["sentences"]


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
        ("--at mean", "no single moment"),
        ("--at 1e9", "after the last one"),
        ("--what-if 9", "unknown group '9'"),
    ],
)
def test_wrong_option_is_a_usage_error(run: Run, text: Path, options: str, said: str) -> None:
    ended = run(f"explain {text} --on go2008 {options}")
    assert ended.status == 2
    assert said in ended.err
