"""Messages quote file names and contents with control characters escaped."""

import pytest

from allocsim.cli.measure_options import _log_notes
from allocsim.events import Trace
from tests.cli.conftest import File, Run


@pytest.mark.parametrize(
    "line",
    ["trace check {}", "trace info {}", "replay {}", "trace convert {} {}.allocsim", "run {}"],
)
@pytest.mark.parametrize("text", ["1: malloc 0x10 8\n", "no trace"])
def test_file_name_cannot_control_the_terminal(run: Run, file: File, line: str, text: str) -> None:
    name = "\x1b[2J\nallocsim: error: \x07.txt"
    file(name, text)
    ended = run(line.replace("{}", f"'{name}'"))
    assert not {"\x1b", "\x07"} & {*ended.out, *ended.err}
    assert "\nallocsim: error: \\x07.txt" not in f"\n{ended.out}\n{ended.err}"


def test_wrong_option_cannot_control_the_terminal(run: Run) -> None:
    ended = run("random", "--every=\x1b[2J")
    assert ended.status == 2
    assert "\x1b" not in ended.err


def test_notes_of_several_recordings_are_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    logged: set[str] = set()
    for notes in (["a", "b"], ["b", "c"]):
        trace = Trace("test", iter(()), {"kind": "trace"})
        trace.notes += notes
        _log_notes(logged, trace)
    assert capsys.readouterr().err == "note: a\nnote: b\nnote: c\n"
