"""Valid files that `fuzz` damages, in formats that do not consist of simple lines.

Some are recordings of real programs. The others are written by the tests of the formats, most of
them with the first calls of git.
"""

from importlib.util import find_spec

from tests import lz4_blocks
from tests.traces import test_go_trace
from tests.traces.readers import test_csapp, test_glibc_mtrace, test_glibc_wl, test_malloc_bench
from tests.traces.recordings import Event, read
from tests.traces.totals import SAMPLES, contents


def first_lines(name: str, count: int) -> bytes:
    """The beginning of a sample."""
    return b"".join(contents(name).splitlines(keepends=True)[:count])


def calls(count: int) -> list[Event]:
    """The first events of a program with four threads."""
    return read(SAMPLES / "git.lttng.gz")[0][:count]


RECORDED: dict[str, tuple[bytes, ...]] = {
    "heaptrack": (first_lines("ls.heaptrack-raw.zst", 80), first_lines("ls.heaptrack.zst", 150)),
    "csapp": (test_csapp.written(calls(60)).encode(), first_lines("sqlite.csapp.gz", 80)),
    "glibc-wl": (test_glibc_wl.written(calls(100)), contents("calls.glibc-wl.gz")),
    "glibc-mtrace": (
        test_glibc_mtrace.written(calls(40)),
        contents("calls.glibc-mtrace.gz"),
        contents("git.glibc-mtrace.gz")[: 64 * 40],
    ),
    "malloc-bench": (
        test_malloc_bench.written(calls(80)),
        contents(test_malloc_bench.WRITTEN)[:700],
    ),
    "go-trace": (test_go_trace.small(), test_go_trace.small(generations=2)),
}
"""The contents of the valid files, by format."""

if find_spec("memray"):
    CAPTURE = (SAMPLES / "memray-default.bin").read_bytes()
    RECORDED["memray"] = (CAPTURE, lz4_blocks.decompressed(CAPTURE))
