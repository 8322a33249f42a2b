"""The reader of LTTng's libc wrapper: each event, each form of time and context, broken lines."""

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.readers import lttng
from tests.traces.lines import read_lines
from tests.traces.recordings import Event

CONTEXTS = "{ cpu_id = 1 }, { vpid = 9, vtid = 9 }, "
BEFORE = f"[09:41:07.551437105] vm lttng_ust_libc:malloc: {CONTEXTS}{{ size = 1, ptr = 0x10 }}"

GOOD: dict[str, tuple[str, str, Event]] = {
    "malloc": ("malloc", "size = 24, ptr = 0x55D0A0", (Op.MALLOC, 24, 0, 0, 1)),
    "calloc": ("calloc", "nmemb = 3, size = 8, ptr = 0x20", (Op.CALLOC, 24, 0, 0, 1)),
    "realloc": ("realloc", "in_ptr = 0x10, size = 24, ptr = 0x20", (Op.REALLOC, 24, 0, 0, 0)),
    "realloc of NULL": ("realloc", "in_ptr = 0x0, size = 24, ptr = 0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "realloc to nothing": ("realloc", "in_ptr = 0x10, size = 0, ptr = 0x0", (Op.FREE, 0, 0, 0, 0)),
    "free": ("free", "ptr = 0x10", (Op.FREE, 0, 0, 0, 0)),
    "memalign": ("memalign", "alignment = 64, size = 9, ptr = 0x40", (Op.MEMALIGN, 9, 6, 0, 1)),
    "posix_memalign": (
        "posix_memalign",
        "out_ptr = 0x40, alignment = 64, size = 9, result = 0",
        (Op.MEMALIGN, 9, 6, 0, 1),
    ),
}

HEADS = {
    "clock": "[09:41:07.551437105] (+0.000001512) vm ",
    "date": "[2026-11-24 09:41:07.551437105] (+0.000001512) vm ",
    "seconds": "[1795558473.445173597] (+0.000001512) vm ",
    "no delta": "[09:41:07.551437105] vm ",
    "no host": "[09:41:07.551437105] (+0.000001512) ",
    "host with a path": "[09:41:07.551437105] (+?.?????????) vm/ust/uid/0/64-bit:TRACE (13) ",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize(("name", "fields", "event"), GOOD.values(), ids=GOOD)
def test_line_makes_its_event(head: str, name: str, fields: str, event: Event) -> None:
    line = f"{head}lttng_ust_libc:{name}: {CONTEXTS}{{ {fields} }}"
    events, trace = read_lines("lttng", BEFORE, line)
    assert events[1:] == [event]
    assert (trace.dropped, trace.notes) == ({}, [])


def test_names_of_all_fields_do_no_harm() -> None:
    line = (
        "timestamp = 2026-11-24 22:14:33.445173597, delta = +?.?????????, trace:hostname = vm, "
        "name = lttng_ust_libc:calloc, stream.packet.context = { cpu_id = 0 }, "
        "stream.event.context = { vpid = 9, vtid = 8 }, event.fields = { nmemb = 100, size = 2, "
        "ptr = 0x5595F5131580 }"
    )
    events, _ = read_lines("lttng", line)
    assert events == [(Op.CALLOC, 200, 0, 0, 0)]


OTHER_CONTEXTS = {
    "none": "",
    "cpu": "{ cpu_id = 1 }, ",
    "name": '{ cpu_id = 1 }, { vpid = 9, vtid = 9, procname = "a = 1, ptr = 0x99 }" }, ',
    "quotes": r'{ cpu_id = 1 }, { procname = "\"size = 7\\", vpid = 9, vtid = 9 }, ',
    "counters": "{ cpu_id = 1 }, { perf_thread_cycles = 12345, vpid = 9, ip = 0x55AA, vtid = 9 }, ",
}


@pytest.mark.parametrize("contexts", OTHER_CONTEXTS.values(), ids=OTHER_CONTEXTS)
def test_contexts_may_be_others(contexts: str) -> None:
    line = f"[09:41:07.551437105] vm lttng_ust_libc:malloc: {contexts}{{ size = 24, ptr = 0x20 }}"
    events, trace = read_lines("lttng", line)
    assert events == [(Op.MALLOC, 24, 0, 0, 0)]
    assert trace.notes == []


def test_threads_and_processes_are_those_of_the_contexts() -> None:
    line = "[1.2] vm lttng_ust_libc:malloc: {{ vpid = {}, vtid = {} }}, {{ size = 1, ptr = {} }}"
    rows = ((1, 1, "0x10"), (1, 2, "0x20"), (5, 5, "0x30"))
    events, trace = read_lines("lttng", *(line.format(*row) for row in rows))
    assert [event[3] for event in events] == [0, 1]
    assert trace.dropped == {"other process": 1}


def test_failed_posix_memalign_makes_nothing_whatever_its_pointer_says() -> None:
    fields = "out_ptr = 0x40, alignment = 3, size = 9, result = 22"
    line = f"[1.2] vm lttng_ust_libc:posix_memalign: {CONTEXTS}{{ {fields} }}"
    events, trace = read_lines("lttng", BEFORE, line)
    assert (len(events), trace.dropped) == (1, {"failed call": 1})


@pytest.mark.parametrize(
    "name", ["lttng_ust_statedump:start", "lttng_ust_libc:mallopt", "sched_switch"]
)
def test_other_event_is_skipped_and_counted(name: str) -> None:
    line = f"[09:41:07.551437105] (+0.000001512) vm {name}: {CONTEXTS}{{ size = 1, ptr = 0x20 }}"
    if name.endswith("mallopt"):
        line = line.replace("mallopt", "mailopt")
    events, trace = read_lines("lttng", BEFORE, line)
    known = name.endswith("mallopt")
    what = (
        "dropped calls that cannot be read" if known else "skipped lines that are not in the format"
    )
    assert (len(events), trace.notes[0]) == (1, f"{what}: 1")
    assert trace.dropped == ({"unreadable call": 1} if known else {})


BROKEN = {
    "no event": "hello",
    "warning": "warning: Tracer discarded 12 events",
    "no fields": "[1.2] vm lttng_ust_libc:malloc:",
    "no size": "[1.2] vm lttng_ust_libc:malloc: { ptr = 0x20 }",
    "no address": "[1.2] vm lttng_ust_libc:malloc: { size = 24 }",
    "no address to free": "[1.2] vm lttng_ust_libc:free: { cpu_id = 0 }",
    "address in decimal": "[1.2] vm lttng_ust_libc:free: { ptr = 99 }",
    "negative size": "[1.2] vm lttng_ust_libc:malloc: { size = -24, ptr = 0x20 }",
    "size of 30 digits": "[1.2] vm lttng_ust_libc:malloc: { size = 123456789012345678901234567890,",
    "thread in letters": "[1.2] vm lttng_ust_libc:malloc: { vtid = x }, { size = 2, ptr = 0x20 }",
    "thread of 19 digits": "[1.2] vm lttng_ust_libc:free: { vtid = 1234567890123456789, ptr = 0x1",
    "value missing": "[1.2] vm lttng_ust_libc:malloc: { size = 24, ptr =",
    "value missing after a blank": "[1.2] vm lttng_ust_libc:malloc: { size = 24, ptr = ",
    "string without an end": '[1.2] vm lttng_ust_libc:malloc: { name = "x, size = 2, ptr = 0x1 }\\',
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_broken_line_is_an_error_that_names_it(line: str) -> None:
    with pytest.raises(TraceError, match=r"memory, line 2: found '") as raised:
        read_lines("lttng", BEFORE, line, BEFORE)
    assert r"expected [TIME] HOST lttng_ust_libc:NAME: {" in str(raised.value)


def test_format_is_detected_by_an_event() -> None:
    assert lttng.looks_like(BEFORE.encode())
    assert not lttng.looks_like(b"[09:41:07.551437105] vm sched_switch: { cpu_id = 0 }\n")
