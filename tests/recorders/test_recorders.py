"""Which recorder records, what is said where none can, and the programs that they run."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from allocsim import recorders
from allocsim.errors import EnvironmentLacks, InputError, TraceError, UnknownName
from allocsim.events import Trace, no_events
from allocsim.recorders import RECORDERS, Choice, heaptrack, lttng, memray, mtrace, record, usable
from allocsim.recorders.base import CannotBegin, Recorder, workplace
from allocsim.recorders.program import Ended, Program, find_program, run_program
from allocsim.traces import open_trace

PROGRAM = Program(("prog", "x"), "/bin/prog")


def fake(
    name: str,
    missing: str | None = None,
    fails: bool = False,
    events: int = 1,
    broken: bool = False,
) -> Recorder:
    """A recorder that needs no program."""

    def run(_: Program, place: Path) -> Ended:
        if fails:
            raise CannotBegin("no daemon")
        (place / "raw").write_bytes(bytes(2048))
        return Ended(1, 5, 0.25)

    @contextmanager
    def read(place: Path, _: Ended) -> Iterator[Trace]:
        def chunks() -> Iterator[object]:
            if events:
                chunk = no_events(events)
                chunk.object[:] = range(events)
                yield chunk
            if broken:
                raise TraceError("raw, line 5: broken")

        about = {"format": "fake", "file": "/gone/raw"}
        yield Trace("raw", chunks(), about, dropped={"free of NULL": 1234})

    return Recorder(name, "exact", f"apt install {name}", lambda _: missing, run, read)


def given(monkeypatch: pytest.MonkeyPatch, *known: Recorder) -> None:
    """These are the recorders."""
    monkeypatch.setattr(recorders, "RECORDERS", known)


def test_order_is_that_of_worth() -> None:
    assert [one.name for one in RECORDERS] == ["lttng", "heaptrack", "mtrace", "memray"]


def test_names_are_what_the_option_offers() -> None:
    from allocsim.cli.record import command

    (option,) = [option for option in command.params if option.name == "wanted"]
    assert [*option.type.choices] == [one.name for one in RECORDERS]  # type: ignore[attr-defined]


def test_first_that_lacks_nothing_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, fake("a", "gone"), fake("b"), fake("c"))
    assert [one.name for one in usable(PROGRAM, None)] == ["b", "c"]
    assert [one.name for one in usable(PROGRAM, "c")] == ["c"]


def test_nothing_here_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, fake("a", "a is missing"), fake("b", "b is missing"))
    message = r"nothing here records prog; best is apt install a \(a: a is missing; b: b is miss"
    with pytest.raises(EnvironmentLacks, match=message):
        usable(PROGRAM, None)
    with pytest.raises(EnvironmentLacks, match="b cannot record prog: b is missing"):
        usable(PROGRAM, "b")


def test_unknown_recorder_is_an_error() -> None:
    with pytest.raises(UnknownName, match="unknown recorder 'gdb'"):
        usable(PROGRAM, "gdb")


def test_next_one_records_where_the_best_does_not_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch, fake("a", fails=True), fake("b"))
    said: list[str] = []
    assert record(PROGRAM, tmp_path / "out", Choice(), said.append, nullcontext) == 5
    assert said[:3] == [
        "recording with a: exact",
        "a does not work here: no daemon",
        "recording with b: exact",
    ]
    assert said[3].startswith("prog ended with status 5 after 0.25 s; b took ")
    assert "out: 1 event, " in said[4]
    assert "from the 2.0 KiB that were recorded" in said[4]
    assert said[4].endswith("left out: free of NULL 1,234")


def test_last_one_that_does_not_work_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch, fake("a", fails=True))
    with pytest.raises(EnvironmentLacks, match="no daemon"):
        record(PROGRAM, tmp_path / "out", Choice(), lambda _: None, nullcontext)
    assert not (tmp_path / "out").exists()


def test_trace_tells_of_program_and_recorder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch, fake("a"))
    record(PROGRAM, tmp_path / "out", Choice(), lambda _: None, nullcontext)
    source = open_trace(str(tmp_path / "out")).description["source"]
    assert source == {"format": "fake", "program": ["prog", "x"], "recorder": "a"}


@pytest.mark.parametrize("broken", [False, True])
def test_recording_of_nothing_is_an_error_and_the_old_file_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: bool
) -> None:
    given(monkeypatch, fake("a", events=0, broken=broken))
    (tmp_path / "out").write_text("old")
    with pytest.raises(InputError, match="no call of prog was recorded") as raised:
        record(PROGRAM, tmp_path / "out", Choice(), lambda _: None, nullcontext)
    assert (tmp_path / "out").read_text() == "old"
    assert raised.value.exit_status == 5  # the program's own


def test_recording_that_breaks_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(monkeypatch, fake("a", broken=True))
    with pytest.raises(TraceError, match="line 5: broken"):
        record(PROGRAM, tmp_path / "out", Choice(), lambda _: None, nullcontext)


@pytest.mark.parametrize("module", [lttng, heaptrack, mtrace])
def test_what_is_missing_names_the_package(monkeypatch: pytest.MonkeyPatch, module: object) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    missing = module.lacks(PROGRAM)  # type: ignore[attr-defined]
    assert missing is not None
    assert missing.endswith(module.INSTALL)  # type: ignore[attr-defined]


def printed(place: Path, status: int, text: str, notes: list[str]) -> int:
    """How many events come from a babeltrace2 that ends so."""
    (place / "said").write_text(text)
    printing = subprocess.Popen(["sh", "-c", f"exit {status}"])
    chunks = iter([no_events(3), no_events(4)])
    return sum(map(len, lttng._told(chunks, notes, printing, place / "said")))


def test_events_that_the_tracer_discarded_are_told(tmp_path: Path) -> None:
    notes: list[str] = []
    warning = "WARNING: Tracer discarded 5 events between\nWARNING: Tracer discarded 1000 events"
    assert printed(tmp_path, 0, warning, notes) == 7
    assert notes == ["the tracer discarded 1,005 events: the trace is not whole"]


def test_recording_that_babeltrace2_cannot_print_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="babeltrace2 cannot print the recording: no stream"):
        printed(tmp_path, 1, "no stream\n", [])


def test_whole_recording_needs_no_word(tmp_path: Path) -> None:
    notes: list[str] = []
    assert printed(tmp_path, 0, "", notes) == 7
    assert notes == []


OPTIONS: dict[str, tuple[str, int | None]] = {
    "script": ("a.py -m x", 0),
    "command": ("-c pass", 0),
    "module": ("-m this", 0),
    "options": ("-I -X dev -W error --check-hash-based-pycs always -u a.py", 8),
    "nothing": ("", None),
    "options only": ("-I", None),
    "standard input": ("- x", None),
    "joined command": ("-Sc pass", None),
    "joined module": ("-mthis", None),
}


@pytest.mark.parametrize(("line", "count"), OPTIONS.values(), ids=OPTIONS)
def test_options_of_python_are_told_from_the_script(line: str, count: int | None) -> None:
    assert memray._options_of(line.split()) == count


def test_workplace_is_gone_behind_its_block() -> None:
    with workplace() as place:
        (place / "file").write_text("x")
        assert place.stat().st_mode & 0o777 == 0o700
    assert not place.exists()


def test_place_that_cannot_be_made_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with pytest.raises(EnvironmentLacks, match="cannot make '/proc/nowhere/allocsim-"), workplace():
        pass


def test_end_by_a_signal_is_told_by_its_name() -> None:
    assert Ended(1, 128 + signal.SIGSEGV, 0).story == "was ended by SIGSEGV"
    assert Ended(1, 3, 0).story == "ended with status 3"
    assert Ended(1, 255, 0).story == "ended with status 255"


def test_program_runs_in_the_environment_that_it_is_given() -> None:
    program = find_program(["sh", "-c", 'exit "$WISH"'])
    assert run_program(program, {"WISH": "9"}).status == 9
    assert run_program(program, {"WISH": "9"}, ["sh", "-c", "exit 4"]).status == 4


def test_program_that_the_system_refuses_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("no first line that names an interpreter")
    (tmp_path / "script").chmod(0o700)
    with pytest.raises(InputError, match="cannot be run: Exec format error"):
        run_program(find_program([str(tmp_path / "script")]), {})
