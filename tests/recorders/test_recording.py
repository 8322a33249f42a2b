"""Recording with recorders that need no program: what is written, reported, and kept on failure."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from allocsim.errors import EnvironmentLacks, InputError, TraceError
from allocsim.recorders.recording import Choice, record
from allocsim.traces import open_trace
from tests.recorders.fakes import PROGRAM, fake, install


def test_next_recorder_is_used_where_the_first_does_not_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", fails=True), fake("b"))
    lines: list[str] = []
    assert record(PROGRAM, tmp_path / "out", Choice(), lines.append, lambda _: nullcontext()) == 5
    assert lines[:3] == [
        "recording with a: exact",
        "a does not work: no daemon",
        "recording with b: exact",
    ]
    assert lines[3].startswith("prog exited with status 5 after 0.25 s; starting and stopping b")
    assert "out: 1 event, " in lines[4]
    assert "(recording: 2.0 KiB)" in lines[4]
    assert lines[4].endswith("dropped: free of NULL 1,234")


def test_last_recorder_that_does_not_work_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", fails=True))
    with pytest.raises(EnvironmentLacks, match="no daemon"):
        record(PROGRAM, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())
    assert not (tmp_path / "out").exists()


def test_trace_names_program_and_recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, fake("a"))
    record(PROGRAM, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())
    source = open_trace(str(tmp_path / "out")).description["source"]
    assert source == {"format": "fake", "program": ["prog", "x"], "recorder": "a"}


@pytest.mark.parametrize("broken", [False, True])
def test_empty_recording_is_an_error_and_keeps_the_old_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: bool
) -> None:
    install(monkeypatch, fake("a", events=0, broken=broken))
    (tmp_path / "out").write_text("old")
    with pytest.raises(InputError, match="no call of prog was recorded") as raised:
        record(PROGRAM, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())
    assert (tmp_path / "out").read_text() == "old"
    assert raised.value.exit_status == 5  # the program's own


def test_broken_recording_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, fake("a", broken=True))
    with pytest.raises(TraceError, match="line 5: broken"):
        record(PROGRAM, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())


def test_child_has_a_file_with_its_process_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", children={77: 1}))
    (tmp_path / "out.77.allocsim").write_text("old")
    lines: list[str] = []
    out = tmp_path / "out.allocsim"
    record(PROGRAM, out, Choice(children=True), lines.append, lambda _: nullcontext())
    assert lines[-1].endswith("out.77.allocsim' already exists; use --force to overwrite it")
    record(PROGRAM, out, Choice(children=True, force=True), lines.append, lambda _: nullcontext())
    assert open_trace(str(tmp_path / "out.77.allocsim")).length == 1
