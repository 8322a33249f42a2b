"""Saved results: the figures that are read, and errors for other files."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from allocsim.errors import InputError
from allocsim.reports.run_text import json_text
from allocsim.saved_results import MAX_LENGTH, SubjectFigures, read_saved
from tests.reports.results import small_result


def saved(path: Path, found: Any) -> str:
    """The name of a file that holds `found` as JSON."""
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a saved result: found no schema"),
        ('{"schema": 5}', "found schema 5"),
        ('{"schema": "allocsim/check/1"}', "found schema 'allocsim/check/1'"),
        ('{"schema": "allocsim/profile/1"}', "not a saved result: 'design' is missing"),
        ('{"schema": "allocsim/comparison/1"}', "'subjects' is missing"),
        ('{"schema": "allocsim/comparison/1", "subjects": 5}', "'subjects' is int"),
        ('{"schema": "allocsim/comparison/1", "subjects": [5]}', r"'subjects\.0\.subject'"),
    ],
)
def test_other_file_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    name = saved(tmp_path / "bad.json", text)
    with pytest.raises(InputError, match=rf"bad\.json: .*{message}"):
        read_saved(name)


@pytest.mark.parametrize("value", [None, "5", True, float("nan"), [1], 10**400, -1e31])
def test_figure_that_is_not_a_number_is_named(tmp_path: Path, value: Any) -> None:
    result = json.loads(json_text(small_result()))
    result["at_peak"]["footprint"] = value
    with pytest.raises(InputError, match=r"'at_peak\.footprint' is .*; expected a number"):
        read_saved(saved(tmp_path / "a.json", result))


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
    assert found.workload == json.loads(text)["workload"]["name"]
    assert found == read_saved(saved(tmp_path / "a.json", text))
