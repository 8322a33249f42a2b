"""The context `ip` in LTTng's text: the call site is the address of the caller."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from allocsim.call_sites.frame import Frame
from allocsim.errors import TraceError
from allocsim.traces.readers import lttng
from allocsim.traces.scan.caller_reader import CALLERS_ONLY
from tests.call_sites.stacks import stacks_in

SAMPLES = Path(__file__).parents[1] / "samples"

LINE = (
    "[09:41:07.5] host lttng_ust_libc:{}: {{ cpu_id = 0 }}, {{ vpid = 4, vtid = 5{} }}, {{ {} }}\n"
)


def line(event: str, fields: str, address: str = "") -> str:
    """Return a line of babeltrace2, with the address of the caller if one is given."""
    return LINE.format(event, f", ip = {address}" if address else "", fields)


def frames(*lines: str) -> list[Frame | None]:
    """Return the frame of each event, or None for an event without a frame."""
    rows, _ = stacks_in("".join(lines).encode(), lttng.FORMAT)
    return [stack[0] if stack else None for *_, stack in rows]


def test_call_site_is_the_address_of_the_caller() -> None:
    assert frames(
        line("malloc", "size = 24, ptr = 0x10", "0x7F12AB"),
        line("calloc", "nmemb = 2, size = 24, ptr = 0x20", "0x7F12CD"),
        line("realloc", "in_ptr = 0x10, size = 24, ptr = 0x30", "0x7F12AB"),
        line("malloc", "size = 24, ptr = 0x40"),
        line("free", "ptr = 0x40", "0x7F12AB"),
    ) == [Frame("0x7f12ab"), Frame("0x7f12cd"), Frame("0x7f12ab"), None, None]


def test_address_in_decimal_digits_is_the_same_call_site() -> None:
    """lttng-ust 2.13 declares the context with base 10."""
    assert frames(
        line("malloc", "size = 24, ptr = 0x10", "140362488781226"),
        line("malloc", "size = 24, ptr = 0x20", "012"),
        line("free", "ptr = 0x10", "12"),
    ) == [Frame("0x7fa8b04899aa"), Frame("0xc"), None]


INFO = '{}, debug_info = {{ bin = "{}", func = "{}", src = "{}" }}'
"""An address as babeltrace2 --debug-info prints it."""


@pytest.mark.parametrize(
    ("binary", "function", "expected"),
    [
        ("/no/prog+0x117", "main+0x22", Frame("main", module="/no/prog")),
        ("/no/prog@0x401117", "", Frame("prog+0x401116", module="/no/prog")),
        ("prog+0x117", "", Frame("prog+0x116", module="prog")),
        (r"/a \"} }, { z = 5+0x10", r"f(\"x\")+0x1", Frame('f("x")', module='/a "} }, { z = 5')),
        ("", "", Frame("0xb")),
        ("/no/prog", "main", Frame("0xb")),
    ],
)  # fmt: skip
def test_debug_info_names_the_file_and_the_function(
    binary: str, function: str, expected: Frame
) -> None:
    found = INFO.format(11, binary, function, "a.c:9")
    assert frames(line("malloc", "size = 24, ptr = 0x10", found)) == [expected]


def test_callers_in_a_program_are_its_functions() -> None:
    content = gzip.decompress((SAMPLES / "callers.lttng.gz").read_bytes())
    rows, trace = stacks_in(content, lttng.FORMAT)
    found = Counter(stack[0].label for _, request, stack in rows if request >= 300)
    assert found == {"main requests": 40}
    assert CALLERS_ONLY in trace.notes


def test_debug_info_that_does_not_end_is_an_error() -> None:
    text = LINE.format("malloc", ', ip = 11, debug_info = { bin = "/a+0x1', "size = 8, ptr = 0x10")
    with pytest.raises(TraceError, match="line 1: found"):
        frames(text)


@pytest.mark.parametrize("address", ["0x", "(nil)", "0", '"0x5"', "-1"])
def test_address_of_another_form_is_no_call_site(address: str) -> None:
    assert frames(line("malloc", "size = 24, ptr = 0x10", address)) in ([None], [])


def test_field_whose_name_ends_in_ip_is_no_address() -> None:
    assert frames(line("malloc", "zip = 0x5, size = 24, ptr = 0x10")) == [None]
