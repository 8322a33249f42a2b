"""Formats: each recognises its own recordings only; unknown content is an error."""

from pathlib import Path

import pytest

from allocsim.errors import TraceError, UnknownName
from allocsim.traces import open_trace
from allocsim.traces.formats import MAX_HEAD, detect_format, format_named, shown
from allocsim.traces.readers import FORMATS
from tests.traces.recordings import events_of, in_memory, read, read_bytes
from tests.traces.test_samples import KNOWN, SAMPLES, content_of

EXAMPLES = {
    form.name: form.summary.partition("as in: ")[2].encode() + b"\n"
    for form in FORMATS
    if ", as in: " in form.summary
}


@pytest.mark.parametrize("name", KNOWN)
def test_sample_is_recognised_by_its_own_format_alone(name: str) -> None:
    head = content_of(name)[:MAX_HEAD]
    known_by = [form.name for form in FORMATS if form.looks_like(head)]
    assert known_by == [name.partition(".")[2]]


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_recognised_by_its_own_format_alone_and_read(name: str) -> None:
    example = EXAMPLES[name]
    assert [form.name for form in FORMATS if form.looks_like(example)] == [name]
    events, trace = read_bytes(example, format_named(name, FORMATS))
    assert (len(events), trace.dropped, trace.notes) == (1, {}, [])


UNKNOWN = {
    "words": b"hello, world\n",
    "zeros": bytes(1000),
    "an executable": b"\x7fELF\x02\x01\x01" + bytes(200),
    "XML": b"<?xml version='1.0'?>\n<trace/>\n",
    "a log": b"2026-11-24 10:11:12 INFO malloc failed\n",
    "C": b"int main(void) { free(malloc(10)); }\n",
    "a Valgrind report without calls": b"==11== Memcheck, a memory error detector\n",
}


@pytest.mark.parametrize("content", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_content_is_an_error_with_its_beginning_and_the_formats(content: bytes) -> None:
    with pytest.raises(TraceError) as raised:
        detect_format(in_memory(content), FORMATS)
    message = str(raised.value)
    assert message.startswith(f"memory: unknown format, found {shown(content)}; expected one of: ")
    assert all(form.name in message for form in FORMATS)
    assert "--format" in message


TABLES = {
    "fleetbench's form": (b"8, 2323.17, 17155.9\n16, 1, 2\n", True),
    "comments": (b"# sizes\n\n  8,1e3,2", True),
    "two columns": (b"8, 2\n", False),
    "header": (b"size, alloc_rate, num_live\n", True),
    "words": (b"size, rate, live\n", False),
    "negative": (b"8, -1, 2\n", False),
    "one comment": (b"# 8, 1, 2\n", False),
    "no text": (b"\xff, 1, 2\n", False),
}


@pytest.mark.parametrize(("content", "is_table"), TABLES.values(), ids=TABLES)
def test_table_of_rates_is_an_error_with_the_command_for_it(content: bytes, is_table: bool) -> None:
    with pytest.raises(TraceError) as raised:
        detect_format(in_memory(content), FORMATS)
    assert ("`allocsim empirical memory`" in str(raised.value)) == is_table
    assert ("--format" in str(raised.value)) != is_table


@pytest.mark.parametrize("content", [b"", b"\n\n\r\n  "], ids=["nothing", "blank"])
def test_empty_source_is_empty(content: bytes) -> None:
    with pytest.raises(TraceError, match="memory: the trace is empty"):
        detect_format(in_memory(content), FORMATS)


def test_forced_format_reads_unrecognised_content(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(b"- 0x10\n+ 0x10 0x20\n")
    with pytest.raises(TraceError, match="unknown format"):
        open_trace(str(path))
    events, trace = read(path, "mtrace")
    assert (len(events), trace.description["format"]) == (1, "mtrace")


def test_unknown_format_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"unknown format 'valgrin' \(did you mean 'valgrind'"):
        open_trace(str(SAMPLES / "ls.valgrind.gz"), "valgrin")


def test_wrong_forced_format_is_an_error_at_the_first_line() -> None:
    with pytest.raises(TraceError, match="line 1: found '= Start', expected TID: "):
        read(SAMPLES / "sqlite.mtrace.gz", "aosp")


def test_file_is_closed_after_an_error(tmp_path: Path) -> None:
    """A file left open would cause a warning when it is collected, and warnings are errors."""
    path = tmp_path / "trace"
    path.write_bytes(b"hello\n")
    for form in (None, "nonsense"):
        with pytest.raises((TraceError, UnknownName)):
            open_trace(str(path), form)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"one\ntwo", "'one'"),
        (b"x" * 90, f"'{'x' * 80}…'"),
        (b"\xff\x00\x1b[1m", r"'\xff\x00\x1b[1m'"),
    ],
    ids=["first line", "long", "not printable"],
)
def test_shown_text_is_short_and_printable(content: bytes, text: str) -> None:
    assert shown(content) == text


PROCESSES = b"1 1 malloc(1)=0x10\n2 2 malloc(2)=0x10\n2 2 free(0x10)\n3 3 malloc(3)=0x10\n"


def test_first_process_is_used_and_the_others_are_named() -> None:
    events, trace = read_bytes(PROCESSES, format_named("logalloc", FORMATS))
    assert [event[1] for event in events] == [1]
    assert trace.dropped == {"other process": 3}
    assert trace.notes == [
        "using process 1 only; dropped 2 calls of process 2, 1 call of process 3 "
        "(select a process with --process PID)"
    ]


def test_note_names_the_processes_with_most_calls() -> None:
    lines = b"".join(b"%d 1 malloc(1)=0x10\n" % pid for pid in (1, *range(2, 9), 8))
    _, trace = read_bytes(lines, format_named("logalloc", FORMATS))
    assert "dropped 2 calls of process 8, 1 call of process 2, 1 call of" in trace.notes[0]
    assert "1 call of process 5, and calls of 2 more processes (select" in trace.notes[0]


def test_chosen_process_without_calls_is_an_error() -> None:
    with pytest.raises(TraceError, match=r"of process 9; the recording has 2 calls of process 2"):
        read_bytes(PROCESSES, format_named("logalloc", FORMATS), process=9)


def test_format_without_processes_has_process_0() -> None:
    aosp = format_named("aosp", FORMATS)
    assert len(read_bytes(b"1: malloc 0x10 1\n", aosp, process=0)[0]) == 1
    with pytest.raises(TraceError, match="no call of process 5"):
        read_bytes(b"1: malloc 0x10 1\n", aosp, process=5)


def test_progress_is_0_until_the_first_chunk() -> None:
    trace = open_trace(str(SAMPLES / "sqlite.mtrace.gz"))
    assert trace.progress() == 0.0
    events_of(trace)
    assert trace.progress() == 1.0


def test_saved_result_is_an_error_with_the_commands_for_it(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text('{\n  "schema": "allocsim/profile/1"')
    with pytest.raises(TraceError, match="this is a saved result; use it with `allocsim check`"):
        open_trace(str(path))
