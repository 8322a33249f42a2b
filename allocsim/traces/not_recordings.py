"""Files that users mistake for recordings, such as profiles.

The kind of such a file is recognised by the beginning of its decompressed content. The error
message names the kind and says what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from re import compile as pattern
from typing import Any, NamedTuple

from allocsim.errors import TraceError
from allocsim.text import shell_argument


class NotRecording(NamedTuple):
    """A kind of file that cannot be replayed."""

    begins: Callable[[bytes], Any]
    """Returns a true value if a file that begins with the given bytes is of this kind."""
    kind: str
    """The kind of file. In the error, it follows "this is"."""
    remedy: str
    """The alternative for the user; {name} is replaced by the file's name, quoted for a shell."""


def _is_table_of_rates(head: bytes) -> bool:
    """Return whether the first line has the columns SIZE, ALLOC_RATE, NUM_LIVE.

    Blank lines and comments are skipped. The line may be a header with these names, or the three
    numbers of one size.
    """
    lines = (line.strip() for line in head.splitlines())
    first = next((line for line in lines if line and not line.startswith(b"#")), b"")
    if first.replace(b" ", b"").lower() == b"size,alloc_rate,num_live":
        return True
    try:
        size, rate, live = first.split(b",")
        return int(size) >= 0 and float(rate) >= 0 and float(live) >= 0
    except ValueError:
        return False


def _matches(expression: bytes) -> Callable[[bytes], Any]:
    """Return a function that matches the beginning of a file with a regular expression."""
    return pattern(expression).match


_TOTALS = ", which holds totals and no sequence of calls"
_RECORD = "record the program with `allocsim record -- PROGRAM`"
_VALGRIND = f"run Valgrind with --trace-malloc=yes --log-file=FILE, or {_RECORD}"
_VARINT = rb"[\x80-\xff]?[\x00-\x7f]"
_TEXT = rb"[\t\n\r -~]"

KINDS = (
    NotRecording(
        _matches(rb'\s*\{[^}]{0,200}"allocsim/'),
        "a saved result",
        "use it with `allocsim check` or `allocsim compare A.json B.json`",
    ),
    NotRecording(
        _is_table_of_rates,
        "a table of sizes and rates",
        "generate its workload with `allocsim empirical {name}`",
    ),
    NotRecording(_matches(rb"heap_v2/\d"), f"a heap profile of jemalloc{_TOTALS}", _RECORD),
    NotRecording(
        _matches(rb"heap profile: *\d+: *\d+ \["),
        f"a heap profile of gperftools or Go{_TOTALS}",
        _RECORD,
    ),
    NotRecording(
        _matches(rb"\n[\x02-\x14]\x08" + _VARINT + rb"\x10" + _VARINT + rb"[\n\x12]"),
        f"a profile of pprof{_TOTALS}",
        _RECORD,
    ),
    NotRecording(
        _matches(rb"desc: [^\n]*\ncmd: "), f"a profile of Valgrind's Massif{_TOTALS}", _VALGRIND
    ),
    NotRecording(
        _matches(rb'\s*\{\s*"dhatFileVersion"'),
        f"a profile of Valgrind's DHAT{_TOTALS}",
        _VALGRIND,
    ),
    NotRecording(
        _matches(rb"Android Native Heap Dump"),
        f"a heap dump of Android's malloc_debug{_TOTALS}",
        "to record calls, set the system property libc.debug.malloc.options to record_allocs",
    ),
    NotRecording(
        _matches(rb"\s*<malloc version="), f"output of glibc's malloc_info(){_TOTALS}", _RECORD
    ),
    NotRecording(
        _matches(rb"\s*___ Begin jemalloc statistics"), f"jemalloc's statistics{_TOTALS}", _RECORD
    ),
    NotRecording(_matches(rb"-{40,}\nMALLOC: "), f"tcmalloc's statistics{_TOTALS}", _RECORD),
    NotRecording(
        _matches(rb"PERFILE2|2ELIFREP"),
        "a recording of perf, which holds samples and not every call",
        _RECORD,
    ),
    NotRecording(
        _matches(rb"\xc1\x1f\xfc\xc1|\xc1\xfc\x1f\xc1|\x57\x1d\xd1\x75|\x75\xd1\x1d\x57|/\* CTF "),
        "a file from the directory of an LTTng trace",
        "read the directory through babeltrace2: babeltrace2 DIRECTORY | allocsim replay -",
    ),
    NotRecording(
        _matches(rb"\xff\xfe(?:" + _TEXT + rb"\x00){2}|\xfe\xff(?:\x00" + _TEXT + rb"){2}"),
        "text in UTF-16",
        "convert it: iconv -f UTF-16 -t UTF-8 {name} | allocsim replay -",
    ),
)
"""All kinds, in the order in which they are tried."""


def require_recording(name: str, head: bytes) -> None:
    """Raise TraceError if `head` is the beginning of a file that is known not to be a recording."""
    for kind in KINDS:
        if kind.begins(head):
            remedy = kind.remedy.format(name=shell_argument(name))
            raise TraceError(f"{name}: this is {kind.kind}; {remedy}")
