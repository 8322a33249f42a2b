"""Designs from a file that the user names."""

import os
import sys
from pathlib import Path

import pytest

from allocsim import Heap
from allocsim.designs import find_design, is_design_file
from allocsim.designs.from_file import PREFIX
from allocsim.errors import InputError, UnknownName
from tests.cli.running import process
from tests.designs.outside import write_design


@pytest.mark.parametrize("name", ["./mine.py", "mine.py", "/a/b.py", "a/b"])
def test_path_is_a_design_file(name: str) -> None:
    assert is_design_file(name)


@pytest.mark.parametrize("name", ["mine", "go2008", ""])
def test_bare_name_is_no_design_file(name: str) -> None:
    assert not is_design_file(name)


def test_bare_name_does_not_run_a_file_of_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slots.py").write_text("raise SystemExit('it ran')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownName, match=r"unknown design 'slots'.*a file such as ./mine.py"):
        find_design("slots")


def test_design_is_loaded_once_for_each_content(tmp_path: Path) -> None:
    first = find_design(write_design(tmp_path))
    assert find_design(write_design(tmp_path)) is first
    assert find_design(write_design(tmp_path, ('"slots"', '"other"'))).name == "other"
    assert find_design(write_design(tmp_path)) is first


def test_edited_design_behaves_as_edited(tmp_path: Path) -> None:
    for slot in (65536, 131072, 65536):
        path = write_design(tmp_path, ("SLOT = 0x10000", f"SLOT = {slot}"))
        with Heap(path, reserve=1 << 20) as heap:
            first, second = heap.malloc(1), heap.malloc(1)
            assert second - first == heap.usable_size(first) == slot


def test_file_that_does_not_exist_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.py: No such file"):
        find_design(str(tmp_path / "none.py"))


def test_pipe_is_not_a_design_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(InputError, match=r"pipe\.py' is not a regular file"):
        find_design(str(tmp_path / "pipe.py"))


@pytest.mark.slow
def test_file_that_exits_is_one_line_of_the_command_and_an_error_of_heap(tmp_path: Path) -> None:
    path = tmp_path / "leaves.py"
    path.write_text("import sys\nsys.exit(141)")
    ended = process("random", "--ops", "9", "--design", path)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == f"allocsim: error: {path}, line 2: SystemExit: 141\n"
    with pytest.raises(InputError, match="SystemExit"):
        Heap(str(path))


def test_path_of_another_file_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"'/lib/libx\.so' is not a design: expected a Python"):
        find_design("/lib/libx.so")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "the file defines no design; expected DESIGN ="),
        ("DESIGN = 1", "DESIGN is of type int, expected Design"),
        ("x = 1\n1 / 0", "line 2: ZeroDivisionError: division by zero"),
        ("x = 1\n\nx = (", r"line 3: SyntaxError: '\(' was never closed"),
        ("x = 1\0", r"bad\.py: (SyntaxError|ValueError): source code .* null bytes"),
        ("import nosuchmodule", "line 1: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("import sys\nsys.exit(3)", "line 2: SystemExit: 3"),
        ("raise SystemExit", "line 1: SystemExit$"),
        ("def f():\n    raise ValueError('no')\n\nf()", "line 2: ValueError: no"),
    ],
)
def test_file_that_fails_is_an_input_error_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        find_design(str(path))
    assert str(raised.value).startswith(str(path))
    assert not any(name.startswith(f"{PREFIX}bad") for name in sys.modules)
