"""Recordings of real programs: events equal to those of a simple reader, and known totals.

`samples/README.md` says what each recording is, and how it was made.
"""

import gzip
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from allocsim.core.jit import PURE
from allocsim.events import Op
from tests.traces.plain_formats import read_format_plainly
from tests.traces.recordings import Event, assert_same, read

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Totals:
    """Totals of the calls in a recording. Sizes are in bytes."""

    allocations: int
    reallocations: int
    frees: int
    requested: int
    peak_live: int
    objects_left: int
    bytes_left: int


KNOWN = {
    "sqlite.mtrace": Totals(3032, 552, 3032, 1_063_967, 328_084, 0, 0),
    "python.mtrace": Totals(839, 82, 836, 1_142_097, 746_289, 3, 393_984),
    "sqlite.lttng": Totals(3036, 552, 3032, 1_064_279, 328_396, 4, 8288),
    "shell.lttng": Totals(54, 0, 5, 3019, 2491, 49, 1827),
    "git.lttng": Totals(376, 7, 241, 1_259_570, 1_080_417, 135, 1_063_541),
    "callers.lttng": Totals(84, 0, 42, 13_472, 1031, 42, 476),
    "sqlite.valgrind": Totals(3032, 552, 3032, 1_063_967, 328_084, 0, 0),
    "ls.valgrind": Totals(66, 0, 49, 87_245, 60_261, 17, 21_454),
    "apt.valgrind": Totals(5580, 15, 5301, 540_871, 252_344, 279, 22_334),
    "sqlite.ltrace": Totals(3027, 552, 3027, 1_050_735, 319_892, 0, 0),
    "ls.ltrace": Totals(14, 0, 11, 23_880, 21_080, 3, 21_064),
    "git.ltrace": Totals(261, 6, 121, 1_181_954, 1_090_302, 140, 1_082_530),
    "sqlite.logalloc": Totals(3032, 552, 3030, 1_063_967, 328_084, 2, 8192),
    "shell.logalloc": Totals(47, 0, 4, 2157, 2114, 43, 1477),
    "git.logalloc": Totals(716, 50, 394, 1_522_317, 1_228_236, 322, 1_199_424),
    "ls.logalloc": Totals(341, 1, 137, 112_061, 73_358, 204, 41_241),
    "munged.logalloc": Totals(716, 50, 394, 1_522_317, 1_228_236, 322, 1_199_424),
    "sqlite.glibc-mtrace": Totals(3032, 523, 3030, 1_062_983, 328_084, 2, 8192),
    "sqlite.glibc-wl": Totals(3032, 523, 3030, 1_062_983, 328_084, 2, 8192),
    "git.glibc-mtrace": Totals(938, 52, 614, 1_696_084, 1_255_739, 324, 1_199_872),
    "git.glibc-wl": Totals(938, 52, 614, 1_696_084, 1_255_739, 324, 1_199_872),
    "sqlite.csapp": Totals(3032, 552, 3032, 1_063_967, 328_084, 0, 0),
    "calls.glibc-mtrace": Totals(12, 6, 12, 3_407_307, 3_006_291, 0, 0),
    "calls.glibc-wl": Totals(12, 6, 12, 3_407_307, 3_006_291, 0, 0),
}
"""The totals of each recording."""

LARGE = 2000
"""Number of lines or records that are read with PURE (without compilation), to save time."""

samples = pytest.mark.parametrize("name", KNOWN)


def content_of(name: str) -> bytes:
    """Return a sample. With PURE, return only its beginning, except for a .wl file."""
    content = gzip.decompress((SAMPLES / f"{name}.gz").read_bytes())
    form = name.partition(".")[2]
    if form == "glibc-wl":
        return content
    if form == "glibc-mtrace":
        return content[: 64 * LARGE] if PURE else content
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:LARGE]) if PURE else content


def totals_of(events: list[Event]) -> Totals:
    """Return the totals of a stream of events."""
    live: dict[int, int] = {}
    now = peak = requested = 0
    for op, request, _, _, number in events:
        if op == Op.THREAD_DONE:
            continue
        now += request - live.pop(number, 0)
        requested += request
        peak = max(peak, now)
        if op != Op.FREE:
            live[number] = request
    allocations = sum(event[0] in ALLOCATING for event in events)
    resizes = sum(event[0] == Op.REALLOC for event in events)
    frees = sum(event[0] == Op.FREE for event in events)
    return Totals(allocations, resizes, frees, requested, peak, len(live), sum(live.values()))


ALLOCATING = (Op.MALLOC, Op.CALLOC, Op.MEMALIGN)


@samples
def test_sample_is_read_as_the_obvious_reader_does(tmp_path: Path, name: str) -> None:
    content = content_of(name)
    path = tmp_path / "recording"
    path.write_bytes(content)
    events, trace = read(path)
    plain = read_format_plainly(name.partition(".")[2], content)
    assert trace.description["format"] == name.partition(".")[2]
    assert_same(events, plain.events)
    others = trace.dropped.pop("other process", 0)
    assert trace.dropped == plain.dropped
    assert (others > 0) == (name in ("shell.lttng", "shell.logalloc"))


@pytest.mark.skipif(PURE, reason="pure mode reads only the beginnings")
@samples
def test_sample_has_the_known_totals(name: str) -> None:
    events, _ = read(SAMPLES / f"{name}.gz")
    assert totals_of(events) == KNOWN[name]


@pytest.mark.skipif(PURE, reason="pure mode reads only the beginnings")
def test_recorders_agree_on_the_same_run() -> None:
    """Valgrind and mtrace see the same calls; LTTng sees four more, made before sqlite3 begins.

    Under Valgrind and mtrace, libc frees two buffers at the very end. The recording of Firefox's
    recorder (logalloc) lacks these two frees. ltrace sees only the calls of the program and its
    libraries, not those inside libc.
    """
    mtrace, lttng, valgrind, ltrace, logalloc = (
        totals_of(read(SAMPLES / f"sqlite.{tool}.gz")[0])
        for tool in ("mtrace", "lttng", "valgrind", "ltrace", "logalloc")
    )
    before = 100 + 48 + 116 + 48
    assert mtrace == valgrind
    assert logalloc == replace(mtrace, frees=mtrace.frees - 2, objects_left=2, bytes_left=8192)
    assert lttng.peak_live == mtrace.peak_live + before
    assert lttng.allocations == mtrace.allocations + 4
    assert ltrace.peak_live == pytest.approx(mtrace.peak_live, rel=0.03)
    assert mtrace.allocations - 5 == ltrace.allocations


@pytest.mark.skipif(PURE, reason="pure mode reads only the beginnings")
@pytest.mark.parametrize("form", ["glibc-mtrace", "glibc-wl"])
def test_tracing_malloc_agrees_with_mtrace_but_for_what_it_leaves_out(form: str) -> None:
    """The recording of glibc's tracing malloc differs from mtrace's, of the same run, in four ways.

    It lacks the address of the first malloc (48 bytes), 29 calls of realloc that stayed within
    their blocks (1036 bytes), and two frees after the end of the recording. It has the first
    realloc of NULL (100 bytes) twice.
    """
    events, trace = read(SAMPLES / f"sqlite.{form}.gz")
    found, mtrace = totals_of(events), KNOWN["sqlite.mtrace"]
    assert (found.peak_live, found.allocations) == (mtrace.peak_live, mtrace.allocations - 1 + 1)
    assert found.reallocations == mtrace.reallocations - 29
    assert found.requested == mtrace.requested - 48 - 1036 + 100
    assert found.frees == mtrace.frees - 1 - 2 + 1
    assert (found.objects_left, found.bytes_left) == (2, 2 * 4096)
    assert (trace.dropped["failed call"], trace.dropped["overlap"]) == (1, 1)


def test_peak_that_awk_counted_is_in_the_header() -> None:
    """The peak is from the script in samples/README.md, which shares no code with allocsim."""
    weight, ids, calls, peak = map(int, content_of("sqlite.csapp").split()[:4])
    known = KNOWN["sqlite.csapp"]
    assert (weight, ids, peak) == (1, known.allocations, known.peak_live)
    assert calls == known.allocations + known.reallocations + known.frees


PROCESSES = {"shell.lttng": (17159, 17162, 17165), "shell.logalloc": (15617, 15618, 15619)}
"""The processes of the recordings that have several."""


@pytest.mark.parametrize("name", PROCESSES)
def test_each_process_of_a_recording_can_be_chosen(name: str) -> None:
    calls = 0
    for process in PROCESSES[name]:
        events, trace = read(SAMPLES / f"{name}.gz", process=process)
        calls += len(events) + sum(trace.dropped.values()) - trace.dropped["other process"]
    assert calls == len(content_of(name).splitlines())


def test_munged_log_has_the_events_of_the_log() -> None:
    events, trace = read(SAMPLES / "git.logalloc.gz")
    munged, munged_trace = read(SAMPLES / "munged.logalloc.gz")
    assert munged == events
    assert trace.dropped == munged_trace.dropped == {"free of NULL": 75}
    assert trace.notes == munged_trace.notes == []
