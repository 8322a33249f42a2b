"""Reading saved results: the figures, and the errors for files that are not saved results."""

import json
import os
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from allocsim import __version__
from allocsim.errors import InputError
from allocsim.json_fields import MAX_LENGTH
from allocsim.reports.comparison_text import comparison_json
from allocsim.reports.run_text import json_text
from allocsim.saved_results import SubjectFigures, read_saved
from tests.reports.comparisons import compared
from tests.reports.results import small_result


def saved(path: Path, found: Any) -> str:
    """Return the name of a file that holds `found` as JSON."""
    path.write_text(found if isinstance(found, str) else json.dumps(found))
    return str(path)


def test_result_of_a_run_has_one_subject(tmp_path: Path) -> None:
    result = small_result()
    [found] = read_saved(saved(tmp_path / "a.json", json_text(result))).subjects
    peak = result.profile.at_peak
    assert found == SubjectFigures(
        "go2008",
        peak.footprint,
        result.profile.at_end.footprint,
        peak.fragmentation,
        result.profile.ns_per_event,
    )


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    name = saved(tmp_path / "a.json", comparison(row("x")))
    path = Path(name)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [found.subject for found in read_saved(name).subjects] == ["x"]


def row(subject: Any, **more: Any) -> dict[str, Any]:
    """Return a subject of a saved comparison."""
    memory = {"peak": 100, "end": 100, "fragmentation": 0.5}
    return {"subject": subject, "failure": None, "memory": memory, "times": None} | more


def comparison(*subjects: dict[str, Any]) -> str:
    """Return a saved comparison."""
    return json.dumps({"schema": "allocsim/comparison/2", "subjects": subjects})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a saved result: found no schema"),
        ('{"schema": 5}', "found schema 5"),
        ('{"schema": "allocsim/check/1"}', "found schema 'allocsim/check/1'"),
        (
            '{"schema": "allocsim/comparison/4"}',
            "found schema 'allocsim/comparison/4', expected one",
        ),
        ('{"schema": "allocsim/profile/"}', "found schema 'allocsim/profile/'"),
        ('{"schema": "allocsim/comparison/1", "subjects": []}', "it has no subjects"),
        (comparison(row("x"), row("x")), "it has the subject 'x' twice"),
        (comparison(row("")), r"'subjects\.0\.subject' is ''; expected a text"),
        (comparison(row("x", failure=5)), r"'subjects\.0\.failure' is 5; expected a text"),
        (
            comparison(row("x", times={"ns_per_event": 1, "runs": [1, -1]})),
            r"times\.runs\.1' is -1",
        ),
        ('{"schema": "allocsim/profile/1"}', "not a saved result: 'design' is missing"),
        ('{"schema": "allocsim/comparison/1"}', "'subjects' is missing"),
        ('{"schema": "allocsim/comparison/1", "subjects": 5}', "'subjects' is 5; expected a list"),
        ('{"schema": "allocsim/comparison/1", "subjects": [5]}', r"'subjects\.0\.subject'"),
    ],
)
def test_other_file_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    name = saved(tmp_path / "bad.json", text)
    with pytest.raises(InputError, match=rf"bad\.json: .*{message}"):
        read_saved(name)


WRONG = [None, "5", True, float("nan"), float("inf"), -float("inf"), [1], 10**400, -1, 1e30]


@pytest.mark.parametrize("value", WRONG)
def test_figure_that_is_not_a_number_is_named(tmp_path: Path, value: Any) -> None:
    result = json.loads(json_text(small_result()))
    result["at_peak"]["footprint"] = value
    with pytest.raises(InputError, match=r"'at_peak\.footprint' is .*; expected a number"):
        read_saved(saved(tmp_path / "a.json", result))


@pytest.mark.parametrize("value", [1.5, float("nan"), float("-inf")])
def test_fragmentation_is_a_share(tmp_path: Path, value: float) -> None:
    result = json.loads(json_text(small_result()))
    result["at_peak"]["fragmentation"] = value
    with pytest.raises(InputError, match=r"'at_peak\.fragmentation' is .*; expected a number"):
        read_saved(saved(tmp_path / "a.json", result))


def test_figures_that_can_be_negative_are_read(tmp_path: Path) -> None:
    """A process can shrink, and a program need not touch all memory that it has requested."""
    memory = {"peak": 100, "end": -4096, "fragmentation": -2.5}
    [found] = read_saved(saved(tmp_path / "a.json", comparison(row("x", memory=memory)))).subjects
    assert (found.end, found.fragmentation) == (-4096, -2.5)


def test_origin_is_what_the_file_says(tmp_path: Path) -> None:
    name = saved(tmp_path / "a.json", comparison_json(compared()))
    origin = read_saved(name).origin
    written = datetime.fromtimestamp(Path(name).stat().st_mtime)
    assert origin.file == name
    assert origin.date == written.isoformat(" ", "minutes")
    assert (origin.version, origin.workload, origin.events) == (__version__, "orders", 82_717)
    assert (origin.threads, origin.touch, origin.runs, origin.seed) == ("one", "page", 5, None)


def test_file_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.json: too long .*at most 16 MiB"):
        read_saved(saved(tmp_path / "a.json", " " * (MAX_LENGTH + 1)))


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: No such file"):
        read_saved(str(tmp_path / "gone.json"))
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not JSON"):
        read_saved(str(tmp_path / "bytes.json"))


def test_result_in_a_pipe_is_read_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    text = json_text(small_result())
    writer = threading.Thread(target=(tmp_path / "pipe.json").write_text, args=[text])
    writer.start()
    found = read_saved(str(tmp_path / "pipe.json"))
    writer.join()
    assert found.origin.date is None
    assert found.origin.workload == json.loads(text)["workload"]["name"]
    assert found.subjects == read_saved(saved(tmp_path / "a.json", text)).subjects
