"""The libraries' counters follow the driver's calls and agree with each library's own output."""

import json
from pathlib import Path

import pytest

from allocsim.libraries.counters import allocated, committed, releases_by_clock
from allocsim.libraries.find import find_library
from tests.libraries.children import in_child, require

COUNTED = """
import ctypes, json, os, sys, tempfile
from allocsim.core import operations
from allocsim.libraries.counters import read_counters
from allocsim.libraries.load import load
from allocsim.benchmark.proof import require_served

library = load(sys.argv[1])
before = read_counters(library)
kept = [operations.malloc(library.state, 0, 5000) for _ in range(8000)]
for address in kept[::2]:
    operations.free(library.state, 0, address)
require_served(library)
found = read_counters(library)
parts, buffer = [], ctypes.create_string_buffer(1 << 16)
text = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)
opaque = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
handle = library.handle
if library.address("MallocExtension_GetStats"):
    handle.MallocExtension_GetStats(buffer, len(buffer))
    parts.append(buffer.value)
elif library.address("malloc_stats_print"):
    handle.malloc_stats_print(opaque(lambda _, part: parts.append(part)), None, b"")
elif library.address("mi_stats_print_out"):
    handle.mi_stats_print_out(text(lambda part, _: parts.append(part)), None)
else:
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        handle.malloc_stats()
        file.seek(0)
        parts.append(file.read())
print(json.dumps([before, found, b"".join(parts).decode()]))
"""

Counted = tuple[dict[str, int], dict[str, int], str]


def counted(name: str) -> Counted:
    """Allocate 40 MB and free half of it.

    Returns the library's counters before and after, and the statistics that the library prints.
    """
    require(name)
    before, after, dump = json.loads(in_child(COUNTED, name))
    return before, after, dump


@pytest.mark.parametrize("name", ["tcmalloc", "jemalloc", "glibc", "mimalloc"])
def test_counters_agree_with_the_dump(name: str) -> None:
    before, after, dump = counted(name)  # mimalloc counts committed bytes, in steps of 32 MiB
    rise = (allocated(after) or 0) - (allocated(before) or 0)
    assert 4000 * 5000 <= rise <= 80 << 20
    assert _DUMPED[name](after, dump), dump


def _tcmalloc(found: dict[str, int], dump: str) -> bool:
    """Compare lines such as "MALLOC:  24 (  0.0 MiB) Bytes in use by application"."""
    lines = {line.split(") ")[-1].strip(): line for line in dump.splitlines() if "MiB)" in line}
    named = {
        "Bytes in use by application": "generic.current_allocated_bytes",
        "Bytes in page heap freelist": "tcmalloc.pageheap_free_bytes",
        "Bytes in central cache freelist": "tcmalloc.central_cache_free_bytes",
        "Bytes in transfer cache freelist": "tcmalloc.transfer_cache_free_bytes",
        "Bytes in thread cache freelists": "tcmalloc.thread_cache_free_bytes",
        "Bytes released to OS (aka unmapped)": "tcmalloc.pageheap_unmapped_bytes",
    }
    return all(found[key] == _numbers(lines[title])[0] for title, key in named.items())


def _jemalloc(found: dict[str, int], dump: str) -> bool:
    """Compare the line "Allocated: 1, active: 2, ...".

    Printing allocates, so each figure may differ by less than 128 KiB.
    """
    line = next(line for line in dump.splitlines() if line.startswith("Allocated:"))
    fields = dict(part.strip().split(": ") for part in line.lower().split(","))
    return all(
        abs(found[f"stats.{name}"] - int(fields[name].split()[0])) < 1 << 17
        for name in ("allocated", "active", "metadata", "resident", "mapped", "retained")
    )


def _glibc(found: dict[str, int], dump: str) -> bool:
    """Compare the totals over arenas and mapped objects.

    Printing allocates, so system bytes may differ by 256 KiB, and bytes in use by 16 KiB.
    """
    total = dump[dump.index("Total (incl. mmap):") :]
    system, in_use = _numbers(total)[:2]
    return (
        abs(found["arena"] + found["hblkhd"] - system) < 1 << 18
        and abs(found["uordblks"] + found["hblkhd"] - in_use) < 1 << 14
    )


def _mimalloc(found: dict[str, int], dump: str) -> bool:
    """Compare the last figure of the line "committed:" (peak, total, freed, current)."""
    line = next(line for line in dump.splitlines() if line.strip().startswith("committed:"))
    shown = line.split(":")[1].split()
    current = float(shown[6]) * {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[shown[7]]
    return abs(found["current_commit"] - current) <= 0.06 * current


def _numbers(text: str) -> list[int]:
    """Return the words of a text that are integers, as integers."""
    return [int(word) for word in text.split() if word.isdigit()]


_DUMPED = {"tcmalloc": _tcmalloc, "jemalloc": _jemalloc, "glibc": _glibc, "mimalloc": _mimalloc}


def test_allocated_bytes_need_all_of_their_counters() -> None:
    assert allocated({}) is None
    assert allocated({"arena": 5}) is None
    assert allocated({"uordblks": 5, "hblkhd": 2}) == 7


FREED_EARLIER = """
import sys
from allocsim.core import operations
from allocsim.libraries.counters import allocated, read_counters
from allocsim.libraries.load import load

library = load(sys.argv[1])
before = allocated(read_counters(library))
kept = [operations.malloc(library.state, 0, 24) for _ in range(10_000)]
for address in kept:
    operations.free(library.state, 0, address)
print(before, allocated(read_counters(library)))
"""


def test_tcmalloc_with_a_heap_profiler_gets_no_object_of_another_malloc() -> None:
    """While the loader initialises the library, the library deletes a string. If the string came
    from another malloc, the free lists of the library would be corrupted."""
    file = Path(find_library("tcmalloc") or "/").parent / "libtcmalloc.so.4"
    if not file.is_file():
        pytest.skip(f"{file} is not installed: apt install libgoogle-perftools4")
    assert in_child(FREED_EARLIER, str(file)) == "0 0\n"


def test_committed_bytes_are_those_not_released() -> None:
    assert committed({"arena": 5, "hblkhd": 7, "uordblks": 1}) == 12
    assert committed({"tcmalloc.pageheap_committed_bytes": 4, "generic.heap_size": 9}) == 4
    assert committed({"arena": 5}) is None


def test_libraries_with_a_clock_are_known_by_their_counters() -> None:
    assert releases_by_clock({"stats.resident": 0})
    assert releases_by_clock({"current_commit": 0})
    assert not releases_by_clock({"arena": 5, "hblkhd": 7})
