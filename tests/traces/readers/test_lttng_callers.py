"""The context `ip` in LTTng's text: the call site is the address of the caller."""

import pytest

from allocsim.call_sites.frame import Frame
from allocsim.traces.readers import lttng
from tests.call_sites.stacks import stacks_in

LINE = (
    "[09:41:07.5] host lttng_ust_libc:{}: {{ cpu_id = 0 }}, {{ vpid = 4, vtid = 5{} }}, {{ {} }}\n"
)


def line(event: str, fields: str, address: str = "") -> str:
    """Return a line of babeltrace2, with the address of the caller if one is given."""
    return LINE.format(event, f", ip = {address}" if address else "", fields)


def frames(*lines: str) -> list[Frame | None]:
    """Return the frame of each event; None without one."""
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


@pytest.mark.parametrize("address", ["0x", "(nil)", "0", "12", '"0x5"'])
def test_address_of_another_form_is_no_call_site(address: str) -> None:
    assert frames(line("malloc", "size = 24, ptr = 0x10", address)) in ([None], [])


def test_field_whose_name_ends_in_ip_is_no_address() -> None:
    assert frames(line("malloc", "zip = 0x5, size = 24, ptr = 0x10")) == [None]
