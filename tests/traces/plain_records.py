"""Simple readers of the binary formats of glibc's trace-utils: raw traces and workloads.

`plain_formats` has the readers of text. The readers here share one thing with the readers under
test: TURN, the number of calls that a thread makes before the next thread continues.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterator

from allocsim.traces.readers.glibc_wl_threads import TURN

Row = tuple[str, str, int, int, int]
"""Name, thread, address, old address or alignment, bytes."""

PAGE = 4096


def glibc_mtrace(content: bytes) -> Iterator[Row]:
    """Read a raw trace: records of 64 bytes."""
    whole = len(content) // 64 * 64
    for tid, kind, *_, one, two, size, size2, _ in struct.iter_unpack(
        "<iB3BQQQQQ16x", content[:whole]
    ):
        thread = str(tid)
        if kind == 1:
            yield "malloc", thread, two, 0, size
        elif kind == 2:
            yield "calloc", thread, two, 0, size
        elif kind == 3:
            yield "free", thread, one, 0, 0
        elif kind == 4:
            yield "realloc", thread, two, one, size
        elif kind == 5:
            yield "memalign", thread, two, size2, size
        elif kind in (6, 7):
            yield "memalign", thread, two, PAGE, size
        elif kind == 8:
            yield "memalign", thread, 0 if one else two, size2, size
        else:
            assert kind in (0, 255)


class Stream:
    """Reads one byte or one number at a time."""

    def __init__(self, content: bytes, position: int = 0) -> None:
        self.content, self.position = content, position

    def byte(self) -> int:
        """The next byte."""
        self.position += 1
        return self.content[self.position - 1]

    def number(self) -> int:
        """The next number."""
        value, group = 0, 0x80
        while group >= 0x80:
            group = self.byte()
            value = value * 128 + group % 128
        return value


def glibc_wl(content: bytes) -> Iterator[Row]:
    """Read a workload. Threads take turns; a thread is skipped while it waits for another one."""
    header, threads = Stream(content), list[Stream]()
    while (code := header.byte()) != 1:
        value = header.number()
        if code == 11:
            threads.append(Stream(content, value))
    ready, waiting, written = deque(enumerate(threads)), dict[int, tuple[int, Stream]](), set[int]()
    while ready:
        who, stream = ready.popleft()
        made, code = 0, 0
        while made < TURN and code != 1:
            code = stream.byte()
            if code == 6:
                sync = stream.number()
                written.add(sync)
                if sync in waiting:
                    ready.append(waiting.pop(sync))
            elif code == 7:
                sync = stream.number()
                if sync not in written:
                    waiting[sync] = who, stream
                    break
            else:
                made += 1
                yield _row(code, str(who), stream)
        else:
            if code != 1:
                ready.append((who, stream))
    assert not waiting


def _row(code: int, thread: str, stream: Stream) -> Row:
    """Return the call that a code stands for."""
    if code == 1:
        return "thread_done", thread, 0, 0, 0
    slot = stream.number()
    if code == 5:
        return "free", thread, slot, 0, 0
    if code in (4, 12):
        first = stream.number()
        return "realloc" if code == 4 else "memalign", thread, slot, first, stream.number()
    name, alignment = {
        2: ("malloc", 0), 3: ("calloc", 0), 13: ("memalign", PAGE), 14: ("memalign", PAGE),
    }[code]  # fmt: skip
    return name, thread, slot, alignment, stream.number()


RECORDS: dict[str, Callable[[bytes], Iterator[Row]]] = {
    "glibc-mtrace": glibc_mtrace,
    "glibc-wl": glibc_wl,
}
