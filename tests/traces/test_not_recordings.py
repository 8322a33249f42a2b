"""Files that do not contain a sequence of calls: the error names the format and an alternative."""

import gzip
from pathlib import Path

import pytest

from allocsim.errors import TraceError
from allocsim.traces import open_trace
from allocsim.traces.formats import MAX_HEAD
from allocsim.traces.not_recordings import require_recording
from tests.traces.test_samples import KNOWN, content_of

PROFILES = {
    "jemalloc": (
        b"heap_v2/524288\n  t*: 28106: 56637512 [0: 0]\n  t3: 352: 16777344 [0: 0]\n",
        r"a heap profile of jemalloc, .*`allocsim record",
    ),
    "gperftools": (
        b"heap profile:    262:  8437503 [   262:  8437503] @ heapprofile\n",
        r"a heap profile of gperftools or Go, .*`allocsim record",
    ),
    "Go": (
        b"heap profile: 3: 480 [12: 8800] @ heap/1048576\n1: 288 [1: 288] @ 0x47 0x48\n",
        r"a heap profile of gperftools or Go, .*`allocsim record",
    ),
    "pprof": (
        gzip.compress(b"\n\x04\x08\x01\x10\x02\n\x04\x08\x03\x10\x04\x12\x0e\n\x02\x01\x02\x12"),
        r"a profile of pprof, .*`allocsim record",
    ),
    "Massif": (
        b"desc: (none)\ncmd: ./prog\ntime_unit: i\n#-----------\nsnapshot=0\n",
        r"Massif, .*--trace-malloc=yes",
    ),
    "DHAT": (
        b'{"dhatFileVersion":2\n,"mode":"heap","verb":"Allocated"\n',
        r"DHAT, .*--trace-malloc=yes",
    ),
    "Android": (
        b"Android Native Heap Dump v1.2\n\nBuild fingerprint: ''\n",
        r"malloc_debug, .*record_allocs",
    ),
    "malloc_info": (
        b'<malloc version="1">\n<heap nr="0">\n',
        r"malloc_info\(\), .*allocsim record",
    ),
    "jemalloc's statistics": (
        b"___ Begin jemalloc statistics ___\nVersion: 5.3.0\n",
        "jemalloc's statistics, .*allocsim record",
    ),
    "tcmalloc's statistics": (
        b"-" * 48 + b"\nMALLOC:        8437503 (    8.0 MiB) Bytes in use\n",
        "tcmalloc's statistics, .*allocsim record",
    ),
    "perf": (b"PERFILE2h\0\0\0\0\0\0\0", "a recording of perf, .*allocsim record"),
    "LTTng's metadata": (
        b"\x57\x1d\xd1\x75\0\0\0\0",
        "a file from the directory of an LTTng trace; .*babeltrace2 DIREC",
    ),
    "LTTng's stream": (
        b"\xc1\x1f\xfc\xc1\0\0\0\0",
        "a file from the directory of an LTTng trace; .*babeltrace2 DIREC",
    ),
    "UTF-16": ("\ufeff1: malloc 0x10 8\n".encode("utf-16-le"), "text in UTF-16; convert it: iconv"),
    "UTF-16, big": (
        "\ufeff1: free 0x10\n".encode("utf-16-be"),
        "text in UTF-16; convert it: iconv",
    ),
    "result": (
        b'{\n  "schema": "allocsim/profile/1"',
        "a saved result; use it with `allocsim check`",
    ),
    "table": (b"8, 1, 2\n", "a table of sizes and rates; generate its workload with `allocsim emp"),
}


@pytest.mark.parametrize("form", [None, "ltrace", "valgrind", "aosp"])
@pytest.mark.parametrize(("content", "message"), PROFILES.values(), ids=PROFILES)
def test_profile_is_named_even_if_a_format_is_forced(
    tmp_path: Path, content: bytes, message: str, form: str | None
) -> None:
    path = tmp_path / "profile"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=message) as raised:
        open_trace(str(path), form)
    assert str(raised.value).startswith(f"{path}: this is ")


@pytest.mark.parametrize("name", KNOWN)
def test_recording_is_not_taken_for_a_profile(name: str) -> None:
    require_recording(name, content_of(name)[:MAX_HEAD])
