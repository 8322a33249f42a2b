"""Recording with fake recorders: traces, messages, and the files that a failure leaves."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from msgspec.structs import replace

from allocsim.capabilities import Capabilities
from allocsim.errors import EnvironmentLacks, InputError, TraceError
from allocsim.recorders import plain_run
from allocsim.recorders.base import Request
from allocsim.recorders.program import find_program
from allocsim.recorders.recording import Choice, record
from allocsim.trace_stats import collect_stats
from allocsim.traces import open_trace
from allocsim.traces.problems import problems_of
from tests.recorders.fakes import PROGRAM, REQUEST, fake, install
from tests.test_program_run import program_run

CHILDREN = Request(PROGRAM, children=True)


def test_next_recorder_is_used_where_the_first_does_not_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", fails=True), fake("b"))
    lines: list[str] = []
    out = tmp_path / "out"
    result = record(REQUEST, out, Choice(), lines.append, lambda _: nullcontext())
    assert result == (5, out)
    assert lines[:3] == [
        "recording with a: exact",
        "a does not work: no daemon",
        "recording with b: exact",
    ]
    assert lines[3].startswith(
        "prog exited with status 5 after 0.25 s under b; starting and stopping b"
    )
    assert "out: 1 event, " in lines[4]
    assert "(recording: 2.0 KiB)" in lines[4]
    assert lines[4].endswith("dropped: free of NULL (1,234)")


def test_last_recorder_that_does_not_work_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", fails=True))
    with pytest.raises(EnvironmentLacks, match="no daemon"):
        record(REQUEST, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())
    assert not (tmp_path / "out").exists()


def test_trace_names_program_and_recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, fake("a"))
    record(REQUEST, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())
    source = open_trace(str(tmp_path / "out")).description["source"]
    assert source == {"format": "fake", "program": ["prog", "x"], "recorder": "a"}


@pytest.mark.parametrize("broken", [False, True])
def test_empty_recording_is_an_error_and_keeps_the_old_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: bool
) -> None:
    install(monkeypatch, fake("a", events=0, broken=broken))
    (tmp_path / "out").write_text("old")
    with pytest.raises(InputError, match="no call of prog was recorded") as raised:
        record(REQUEST, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())
    assert (tmp_path / "out").read_text() == "old"
    assert raised.value.exit_status == 5  # the program's own


def test_broken_recording_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, fake("a", broken=True))
    with pytest.raises(TraceError, match="line 5: broken"):
        record(REQUEST, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())


def test_trace_is_kept_in_the_temporary_directory_if_its_own_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with pytest.raises(EnvironmentLacks, match=r"cannot write .*; the trace is in ") as raised:
        record(REQUEST, tmp_path / "no/out", Choice(), lambda _: None, lambda _: nullcontext())
    (kept,) = temporary.iterdir()  # the work directory is removed
    assert str(raised.value).endswith(f"'{kept}'")
    assert open_trace(str(kept)).length == 1


def test_child_has_a_file_with_its_process_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", children={77: 1}, records_children=True))
    (tmp_path / "out.77.allocsim").write_text("old")
    lines: list[str] = []
    out = tmp_path / "out.allocsim"
    record(CHILDREN, out, Choice(), lines.append, lambda _: nullcontext())
    assert lines[-1].endswith("out.77.allocsim' already exists; use --force to overwrite it")
    record(CHILDREN, out, Choice(force=True), lines.append, lambda _: nullcontext())
    assert open_trace(str(tmp_path / "out.77.allocsim")).length == 1


def test_children_are_written_though_the_program_has_no_event(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Process 76 has no event either, as if it called only free(NULL)."""
    install(monkeypatch, fake("a", events=0, children={76: 0, 77: 3}, records_children=True))
    lines: list[str] = []
    out, child = tmp_path / "out.allocsim", tmp_path / "out.77.allocsim"
    result = record(CHILDREN, out, Choice(), lines.append, lambda _: nullcontext())
    assert result == (5, child)
    assert [*tmp_path.iterdir()] == [child]
    assert open_trace(str(child)).length == 3
    reason = "was not written: no call of prog was recorded, only 3 calls of other processes"
    assert lines[-1] == f"'{out}' {reason}"
    assert any(f"'{tmp_path / 'out.76.allocsim'}' was not written: " in line for line in lines)


def test_recording_without_any_event_is_an_error_with_children(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", events=0, children={76: 0}, records_children=True))
    with pytest.raises(InputError, match="no call of prog was recorded"):
        record(CHILDREN, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())
    assert not [*tmp_path.iterdir()]


def test_calls_of_other_processes_alone_are_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", events=0, children={77: 3}))
    message = "no call of prog was recorded, only 3 calls of other processes: --children writes a"
    with pytest.raises(InputError, match=message):
        record(REQUEST, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())


def test_child_without_its_inherited_objects_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for keeps in (False, True):
        known = fake("a", children={77: 1}, records_children=True, keeps_inherited=keeps)
        install(monkeypatch, known)
        choice = Choice(force=True)
        record(CHILDREN, tmp_path / "o.allocsim", choice, lambda _: None, lambda _: nullcontext())
        for name, lacks in (("o", False), ("o.77", not keeps)):
            notes = open_trace(str(tmp_path / f"{name}.allocsim")).notes
            assert any("it inherited objects that are not" in note for note in notes) == lacks


LESS = Capabilities("no", "no", "yes", "yes")


def test_recorder_that_sees_less_does_not_replace_one_that_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", fails=True), fake("b", capabilities=LESS))
    message = "a does not work: no daemon; use --with b, which does not record threads, thread ends"
    with pytest.raises(EnvironmentLacks, match=message):
        record(REQUEST, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())


def test_limits_of_the_recorder_are_reported_before_and_stored_in_the_trace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", capabilities=LESS))
    lines: list[str] = []
    record(REQUEST, tmp_path / "out", Choice(), lines.append, lambda _: nullcontext())
    assert lines[1] == "a does not record threads, thread ends"
    assert open_trace(str(tmp_path / "out")).capabilities == LESS


def test_recorders_own_memory_is_not_the_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The figures of the program are unknown if the recorder keeps data for every call."""
    run = program_run(anonymous_peak=9000, recorder=None, recorder_memory=0)
    for memory, kept in ((1000, True), (None, False)):
        install(monkeypatch, fake("a", program_run=run, own_memory=memory))
        choice = Choice(force=True)
        record(REQUEST, tmp_path / "out", choice, lambda _: None, lambda _: nullcontext())
        found = open_trace(str(tmp_path / "out")).program_run
        expected = replace(run, anonymous_peak=8000, recorder_memory=1000, recorder="a")
        assert found == (expected if kept else None)


def test_losses_are_reported_and_make_the_trace_incomplete(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", losses=lambda *_: ["the disk was full"]))
    lines: list[str] = []
    record(REQUEST, tmp_path / "out", Choice(), lines.append, lambda _: nullcontext())
    assert "the disk was full" in lines
    assert "incomplete: the disk was full" in lines[-1]
    trace = open_trace(str(tmp_path / "out"))
    assert problems_of(trace, collect_stats(trace))[-1:] == [
        "the recording is incomplete: the disk was full"
    ]


def test_frees_of_objects_that_were_not_recorded_are_a_loss(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", dropped={"free of unknown": 101}))
    record(REQUEST, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())
    assert open_trace(str(tmp_path / "out")).losses == [
        "101 frees of objects whose allocation a did not record"
    ]


def test_end_by_a_signal_is_not_called_the_programs_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", status=134))
    lines: list[str] = []
    record(REQUEST, tmp_path / "out", Choice(), lines.append, lambda _: nullcontext())
    assert lines[1].startswith("prog was killed by SIGABRT after 0.25 s under a; ")
    assert lines[2].startswith("a may be the reason why prog was killed; to find out, use --cost")


def test_signal_before_the_first_call_is_the_reason_for_an_empty_recording(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a", events=0, status=143))
    with pytest.raises(InputError, match="prog was killed by SIGTERM before a had recorded a call"):
        record(REQUEST, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())


def test_options_that_no_recorder_has_are_refused_before_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a"), fake("b", records_children=True))
    message = "--children: a does not record the processes that a program starts; use --with b"
    with pytest.raises(InputError, match=message):
        record(CHILDREN, tmp_path / "out", Choice("a"), lambda _: None, lambda _: nullcontext())
    record(CHILDREN, tmp_path / "out", Choice(), lambda _: None, lambda _: nullcontext())
    assert open_trace(str(tmp_path / "out")).description["source"]["recorder"] == "b"


def test_cost_compares_with_a_run_without_the_recorder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, fake("a"))
    lines: list[str] = []
    request = Request(find_program(["sh", "-c", "echo ran >> ran; exit 6"]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plain_run, "_position_of_input", lambda: None)
    record(request, tmp_path / "out", Choice(cost=True), lines.append, lambda _: nullcontext())
    assert (tmp_path / "ran").read_text() == "ran\n"
    (line,) = [line for line in lines if "s without a recorder, 0.250 s with a" in line]
    assert line.endswith("; without a, sh exited with status 6")
