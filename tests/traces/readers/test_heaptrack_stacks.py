"""Stacks in heaptrack files: raw and interpreted files, old formats, and malformed lines."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from allocsim.call_sites import symbols
from allocsim.call_sites.frame import Frame
from allocsim.call_sites.symbols import Place, Resolved
from allocsim.core.jit import PURE
from allocsim.events import Op
from allocsim.traces import open_trace
from allocsim.traces.native.file import write_trace
from allocsim.traces.readers import heaptrack, heaptrack_names, heaptrack_stacks
from allocsim.traces.scan import line_reader
from tests.call_sites.stacks import stacks_in, stacks_of
from tests.traces.totals import SAMPLES

INTERPRETED = """v 10400 3
X app
I 1000 5e2990
s 8 /bin/app
s 4 main
s 7 app.cpp
i 5500 1 2 3 1a
t 1 0
s 5 serve
s b a
b.cpp x y
s 3 new
i 5510 1 4 5 13 6 3 c
t 2 1
a 18 2
+ 0
t 2 0
a 20 3
+ 1
a 8 0
+ 2
"""
MAIN = Frame("main", "app.cpp", 26, "/bin/app")
SERVE = Frame("serve", "a\\nb.cpp x y", 19, "/bin/app")
NEW = Frame("new", "app.cpp", 12, "/bin/app")


def stacks(text: str) -> list[tuple[Frame, ...]]:
    """Return the stack of each event."""
    return [stack for *_, stack in stacks_in(text.encode(), heaptrack.FORMAT)[0]]


def test_interpreted_stack_has_inlined_functions_and_strings_with_newlines() -> None:
    assert stacks(INTERPRETED) == [(SERVE, NEW, MAIN), (SERVE, NEW), ()]


@pytest.mark.parametrize("size", [64, 80, 100])
def test_names_may_end_in_another_block(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(line_reader, "BLOCK", size)
    assert stacks(INTERPRETED) == [(SERVE, NEW, MAIN), (SERVE, NEW), ()]


def test_names_before_format_3_have_no_length() -> None:
    text = "v 10100 2\ns /bin/app\ns main\ns app.cpp\ni 5500 1 2 3 1a\nt 1 0\na 18 1\n+ 0\n"
    assert stacks(text) == [(MAIN,)]
    raw = "v 10100 2\nx /bin/x y\nm x 5000 0 1000\nt 5101 0\n+ 18 1 55d0\n"
    assert stacks(raw) == [(Frame("x y+0x100", module="/bin/x y"),)]


def test_address_without_a_function_is_shown_with_its_module() -> None:
    assert stacks("v 10400 3\ns 8 /bin/app\ni 5500 1\nt 1 0\na 18 1\n+ 0\n") == [
        (Frame("0x5500", module="/bin/app"),)
    ]


RAW = "v 10400 3\nx 9 /none/app\nX app\nI 1000 5e2990\n"


def test_raw_address_is_an_offset_of_the_module_that_was_loaded_then() -> None:
    first = "m 1 -\nm 1 x 1000 0 100\nm a /none/b.so 5000 0 100 200 10\n"
    second = "m 1 -\nm a /none/c.so 5000 0 1000\n"
    calls = "t 1011 0\nt 5201 1\nt 5151 1\n+ 1 2 10\n+ 2 3 20\n"
    moved = "t 5201 0\n+ 3 4 30\nt 1011 0\n+ 4 5 40\n"
    app = Frame("app+0x10", module="/none/app")
    assert stacks(RAW + first + calls + second + moved) == [
        (Frame("b.so+0x200", module="/none/b.so"), app),
        (Frame("0x5150"), app),
        (Frame("c.so+0x200", module="/none/c.so"),),
        (Frame("0x1010"),),
    ]


@pytest.mark.parametrize(
    "line",
    ["m 1 x 5", "m 1 x 5 z", "i 1", "i 5 1 9 9 9", "i x y", "i fffffffffffffffff 0", "t 1 99",
     "s 1 a b", "m 3 xy"],
)  # fmt: skip
def test_malformed_name_does_no_harm(line: str) -> None:
    found = stacks(f"{RAW}{line}\nI 1000 1\n+ 8 1 10\n+ 8 5 20\n")
    assert found[1] == ()


@pytest.mark.parametrize("line", ["t ", "t 1", "t x y", "t 1 x"])
def test_malformed_row_has_a_number_and_no_caller(line: str) -> None:
    found = stacks(f"{RAW}t 2001 0\n{line}\nt 3001 1\n+ 18 3 55d0\n+ 18 2 66d0\n")
    assert [frame.function for frame in found[0]] == ["0x3000", "0x2000"]
    assert len(found[1]) == 1


def test_further_rows_than_the_limit_have_no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heaptrack_stacks, "MAX_NODES", 3)
    rows = "".join(f"t {number}001 0\n" for number in range(1, 9))
    found = stacks(f"{RAW}{rows}+ 1 1 10\n+ 2 2 20\n+ 3 3 30\n+ 4 8 40\n")
    assert [len(stack) for stack in found] == [1, 1, 0, 0]


def test_hostile_names_are_cut_and_escaped() -> None:
    name = "\x1b[2J" + "x" * 20_000
    text = f"v 10400 3\ns {len(name):x} {name}\ni 5500 0 1\nt 1 0\na 18 1\n+ 0\n"
    ((frame,),) = stacks(text)
    assert frame.function.startswith("\\x1b[2Jxx")
    assert len(frame.function) == 300


def test_sites_are_not_read_unless_they_are_wanted() -> None:
    trace = open_trace(str(SAMPLES / "ls.heaptrack.zst"))
    assert trace.sites is None
    trace.close()


def test_names_are_looked_up_when_a_stack_is_first_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looked_up: list[Place] = []

    def resolve(places: Sequence[Place], recording: str) -> Resolved:
        """Note the places and resolve them."""
        looked_up.extend(places)
        return symbols.resolve(places, recording)

    monkeypatch.setattr(heaptrack_names, "resolve", resolve)
    text = f"{RAW}m 1 -\nm 1 x 1000 0 100\nt 1011 0\n+ 1 1 10\n"
    path = tmp_path / "a.heaptrack"
    path.write_text(text)
    with open_trace(str(path), sites=True) as trace:
        assert trace.sites is not None
        numbers = [trace.sites.of(chunk).tolist() for chunk in trace.chunks]
        assert numbers == [[1]]
        assert looked_up == []
        assert trace.sites.table.describe(1) == "app+0x10"
    assert Place(b"/none/app", 0x10) in looked_up


def test_converted_file_has_the_notes_on_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(symbols, "ADDR2LINE", "no-such-addr2line")
    program = sys.executable
    recorded, path = tmp_path / "a.heaptrack", tmp_path / "a.allocsim"
    recorded.write_text(
        f"v 10400 3\nx {len(program):x} {program}\nX {program}\nI 1000 5e2990\n"
        "m 1 x 1000 0 100\nt 1011 0\n+ 1 1 10\n"
    )
    write_trace(open_trace(str(recorded), sites=True), path)
    with open_trace(str(path)) as trace:
        assert any("no-such-addr2line is not installed" in note for note in trace.notes)


def totals(path: Path) -> Counter[str]:
    """Return the allocations of each stack, with frames as heaptrack_print names them."""
    with open_trace(str(path), sites=True) as trace:
        found = stacks_of(trace)
    return Counter(
        ";".join(sorted(map(flame_name, stack))) for op, _, stack in found if op <= Op.REALLOC
    )


def flame_name(frame: Frame) -> str:
    """Return the name of a frame in heaptrack_print's stacks."""
    return f"{frame.function} ({Path(frame.file).name})" if frame.file else frame.function


@pytest.mark.parametrize("program", ["ls", pytest.param("sqlite", marks=pytest.mark.slow)])
def test_totals_by_stack_are_those_of_heaptrack(program: str, tmp_path: Path) -> None:
    if PURE and program == "sqlite":
        pytest.skip("takes seconds as plain Python")
    if shutil.which("heaptrack_print") is None:
        pytest.skip("heaptrack is not installed: apt install heaptrack")
    path, out = SAMPLES / f"{program}.heaptrack.zst", tmp_path / "stacks.txt"
    command = ["heaptrack_print", "-f", str(path), "-F", str(out), "-p0", "-a0", "-T0"]
    subprocess.run(command, check=True, capture_output=True)
    expected: Counter[str] = Counter()
    for line in out.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        # heaptrack_print prints a function before the function that it was inlined into.
        expected[";".join(sorted(stack.rstrip(";").split(";")))] += int(count)
    assert totals(path) == expected


@pytest.mark.parametrize("program", ["ls"])
def test_raw_recording_has_the_stacks_of_the_interpreted_one(program: str) -> None:
    # Only the depths of stacks and the numbers of calls are compared, because this machine may
    # have other libraries than the one that made the recording.
    shapes = []
    for name in (f"{program}.heaptrack.zst", f"{program}.heaptrack-raw.zst"):
        with open_trace(str(SAMPLES / name), sites=True) as trace:
            found = stacks_of(trace)
            assert trace.sites is not None
            shapes.append((len(trace.sites.table), [bool(stack) for *_, stack in found]))
    assert shapes[0] == shapes[1]
