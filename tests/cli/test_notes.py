"""Messages quote file names and contents with control characters escaped."""

import pytest

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
