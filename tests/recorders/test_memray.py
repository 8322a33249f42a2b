"""memray's command line: which arguments are Python's own options."""

import re
import sys
from pathlib import Path

import pytest

from allocsim.recorders import memray
from allocsim.recorders.base import Request
from allocsim.recorders.program import Outcome, Program

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
def test_options_of_python_end_at_the_script(line: str, count: int | None) -> None:
    assert memray._count_options(line.split()) == count


REQUEST = Request(Program(("python3", "a.py"), "/usr/bin/python3"))


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        ("1.20.0", "1.20.0", None),
        (None, "1.20.0", "/usr/bin/python3 has no memray: install memray in /usr/bin/python3, or"),
        ("1.20.0", None, "reads the capture, has no memray: install memray==1.20.0 in "),
        (
            "1.5.0",
            "1.20.0",
            "/usr/bin/python3 has memray 1.5.0, but .* has memray 1.20.0: "
            "install memray==1.20.0 in /usr",
        ),
    ],
    ids=["both", "not theirs", "not ours", "other version"],
)
def test_reason_names_the_interpreter_and_the_command(
    monkeypatch: pytest.MonkeyPatch, theirs: str | None, ours: str | None, expected: str | None
) -> None:
    versions = {"/usr/bin/python3": theirs, sys.executable: ours}
    monkeypatch.setattr(memray, "version_in", lambda python, _: versions[python])
    monkeypatch.setattr(
        memray, "how_to_install", lambda what, python: f"install {what} in {python}"
    )
    reason = memray.missing(REQUEST)
    assert reason is None if expected is None else re.search(expected, reason or "")


def test_python_allocators_are_traced_on_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[list[str]] = []

    def run_program(_: Program, __: object, arguments: list[str]) -> Outcome:
        ran.append(arguments)
        return Outcome(1, 0, 0.1)

    monkeypatch.setattr(memray, "run_program", run_program)
    monkeypatch.setattr(memray, "main_of", lambda *_: "/x/memray/__main__.py")
    memray.run(REQUEST, tmp_path)
    memray.run(Request(REQUEST.program, python_allocators=True), tmp_path)
    assert ran[0][:3] == ["python3", "/x/memray/__main__.py", "run"]
    assert set(ran[1]) - set(ran[0]) == {"--trace-python-allocators"}
