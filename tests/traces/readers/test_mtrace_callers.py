"""Callers in recordings of mtrace: one frame each; callers of an unknown form stay as they are."""

from collections import Counter

import pytest

from allocsim.call_sites.frame import Frame
from allocsim.core.jit import PURE
from allocsim.events import Op
from allocsim.traces import open_trace
from allocsim.traces.readers import mtrace
from tests.call_sites.stacks import stacks_in, stacks_of
from tests.traces.totals import SAMPLES, contents


def frames(text: str) -> list[Frame | None]:
    """Return the frame of each event, or None for an event without a frame."""
    rows, _ = stacks_in(text.encode("utf-8", "surrogateescape"), mtrace.FORMAT)
    assert all(len(stack) <= 1 for *_, stack in rows)
    return [stack[0] if stack else None for *_, stack in rows]


APP = Frame("serve", module="/none/app")


def test_caller_is_a_symbol_or_an_address_of_its_object() -> None:
    text = """= Start
@ /none/app:(serve+0x1c)[0x1139] + 0x10 0x64
@ /none/app:(serve+1c)[0x1139] + 0x20 0x64
@ /none/app:[0x1139] + 0x30 0x64
@ [0x1139] + 0x40 0x64
@ ./a b:c.so:(f+0x2)[0x12] + 0x50 0x64
+ 0x60 0x64
"""
    address = Frame("app+0x1138", module="/none/app")
    odd = Frame("f", module="./a b:c.so")
    assert frames(text) == [APP, APP, address, Frame("0x1138"), odd, None]


def test_realloc_and_frees_have_the_caller_that_gives_the_object() -> None:
    text = "= Start\n@ /none/app:(f+1)[0x10] + 0x10 0x64\n@ /none/app:(f+1)[0x10] < 0x10\n"
    text += "@ /none/app:(serve+1)[0x20] > 0x20 0x65\n@ /none/app:(f+1)[0x10] - 0x20\n"
    assert frames(text) == [Frame("f", module="/none/app"), APP, None]


@pytest.mark.parametrize("caller", ["x", "weird caller", "\x1b[2J", "[red]", ":()[zz]", "(+)[0x]"])
def test_caller_of_another_form_is_shown_as_it_is(caller: str) -> None:
    (frame,) = frames(f"= Start\n@ {caller} + 0x10 0x64\n")
    assert frame == Frame(caller.replace("\x1b", "\\x1b"))


def test_long_name_is_cut() -> None:
    (frame,) = frames(f"= Start\n@ /none/{'x' * 5000}:(y{'z' * 5000}+1)[0x10] + 0x10 0x64\n")
    assert frame is not None
    assert (len(frame.function), len(frame.module)) == (300, 300)


@pytest.mark.parametrize("program", ["python", *([] if PURE else ["sqlite"])])
def test_calls_by_caller_are_those_of_a_plain_count(program: str) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for line in contents(f"{program}.mtrace.gz").decode().splitlines():
        words = line.split()
        if words[0] == "@" and words[-3] in ("+", ">"):
            path, _, place = words[1].rpartition(":")
            symbol = place.rpartition("+")[0].strip("(")
            expected[path, symbol] += 1
    found: Counter[tuple[str, str]] = Counter()
    with open_trace(str(SAMPLES / f"{program}.mtrace.gz"), sites=True) as trace:
        for op, _, stack in stacks_of(trace):
            if op <= Op.REALLOC:
                found[stack[0].module, stack[0].function] += 1
    # This machine's copies of the libraries may name functions that mtrace left unnamed.
    by_module, expected_by_module = Counter[str](), Counter[str]()
    for (module, _), count in found.items():
        by_module[module] += count
    for (module, _), count in expected.items():
        expected_by_module[module] += count
    assert by_module == expected_by_module
    named = {key: count for key, count in expected.items() if key[1] and "python" in key[0]}
    assert all(found[key] == count for key, count in named.items())
