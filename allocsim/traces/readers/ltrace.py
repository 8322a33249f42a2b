"""Output of ltrace for the malloc family (ltrace -e malloc+free+calloc+realloc..., also with -f).

A program under ltrace runs hundreds of times slower, so the files are small and the reader is plain
Python. A line is

    [TID] [TIME] LIBRARY->NAME(ARGUMENTS) = RESULT

A call that another call interrupts takes two lines: NAME(ARGUMENTS <unfinished ...>, and later
<... NAME resumed> ) = RESULT. A call whose return ltrace missed ends in <no return ...>. Processes
that -f follows cannot be told from threads. Calls inside libc are dropped, because ltrace misnames
them. Lines that ltrace did not write are skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from re import MULTILINE
from re import compile as pattern
from typing import NamedTuple

from allocsim.events import Op
from allocsim.traces.calls import ADDRESS_BITS, HUGE, PAGE, Call
from allocsim.traces.formats import Format
from allocsim.traces.scan.lex import MAX_DIGITS
from allocsim.traces.scan.line_reader import SKIPPED
from allocsim.traces.scan.python_reader import PythonReader

_WHO = rb"(?:\[pid (?P<pid>\d{1,18})\] |(?P<tid>\d{1,18}) +)?(?:\d+:\d+:\d+(?:\.\d+)? |\d+\.\d+ )?"
_NAME = (
    rb"(?P<name>malloc|calloc|realloc|reallocarray|free|cfree|memalign|posix_memalign"
    rb"|aligned_alloc|valloc|pvalloc)"
)
_CALL = (
    _WHO + rb"(?:(?P<library>[^\s()<>]{1,200})->)?" + _NAME + rb"\((?P<arguments>[^()\n]{0,200}?)"
    rb"(?:(?P<cut> <(?:unfinished|no return) \.\.\.>)|\) += (?P<result>[^\s=]+))"
)
_BEGUN = pattern(_CALL)
_RESUMED = pattern(_WHO + rb"<\.\.\. " + _NAME + rb" resumed> [^=\n]{0,200}= (?P<result>[^\s=]+)")
_OTHER = pattern(_WHO + rb"(?:\+\+\+ |--- |[^\s()<>]{1,200}->\w|<\.\.\. )")
_FIRST = pattern(rb"^" + _CALL, MULTILINE)

MAX_UNFINISHED = 16
"""Maximum number of unfinished calls of one thread. One more, and the oldest is dropped."""

MAX_THREADS = 1 << 12
"""Maximum number of threads with unfinished calls."""

INCOMPLETE = "dropped calls whose beginning or end is missing"
NO_ADDRESS = "dropped calls whose address ltrace does not print (posix_memalign)"
INSIDE_LIBC = "dropped calls inside libc, which ltrace misnames"


class Begun(NamedTuple):
    """A call without its result."""

    library: bytes
    name: bytes
    arguments: bytes


def looks_like(head: bytes) -> bool:
    """Return whether `head`, the beginning of a file, contains a call."""
    return _FIRST.search(head) is not None


class Parser:
    """Turns lines into calls. It keeps the unfinished calls, and counts dropped calls and lines."""

    def __init__(self) -> None:
        self.unfinished: dict[int, list[Begun]] = {}
        self.dropped: Counter[str] = Counter()

    def call(self, line: bytes) -> Call | None:
        """Return the call that a line completes, if any. A free is complete when it begins."""
        begun, resumed = _BEGUN.match(line), _RESUMED.match(line)
        match = begun or resumed
        if match is None:
            self.dropped[SKIPPED] += bool(line.strip()) and not _OTHER.match(line)
            return None
        thread = int(match["pid"] or match["tid"] or 0)
        if begun is None:
            call = self._resume(thread, match["name"])
        else:
            call = Begun(begun["library"] or b"", begun["name"], begun["arguments"])
            if begun["cut"] and not _is_free(call.name):
                self._suspend(thread, call)
                return None
        return None if call is None else self._complete(call, match["result"] or b"0", thread)

    def _suspend(self, thread: int, begun: Begun) -> None:
        """Push an unfinished call on its thread's stack."""
        stack = self.unfinished.setdefault(thread, [])
        stack.append(begun)
        if len(stack) > MAX_UNFINISHED or len(self.unfinished) > MAX_THREADS:
            self.dropped[INCOMPLETE] += 1
            del stack[0]
        if not stack:
            del self.unfinished[thread]

    def _resume(self, thread: int, name: bytes) -> Begun | None:
        """Pop the thread's last unfinished call of `name`; drop the calls that began after it."""
        if _is_free(name):
            return None
        stack = self.unfinished.pop(thread, [])
        while stack:
            begun = stack.pop()
            if begun.name == name:
                if stack:
                    self.unfinished[thread] = stack
                return begun
            self.dropped[INCOMPLETE] += 1
        self.dropped[INCOMPLETE] += 1
        return None

    def _complete(self, begun: Begun, result: bytes, thread: int) -> Call | None:
        """Return the Call for a call whose result is known; None if the call is dropped."""
        if begun.library.startswith(b"libc.so"):
            self.dropped[INSIDE_LIBC] += 1
            return None
        if begun.name == b"posix_memalign":
            self.dropped[NO_ADDRESS] += 1
            return None
        try:
            return _call(begun, result)._replace(thread=thread)
        except (ValueError, IndexError):
            self.dropped[SKIPPED] += 1
            return None

    def notes(self) -> list[str]:
        """Return notes with the counts of dropped calls and lines."""
        self.dropped[INCOMPLETE] += sum(map(len, self.unfinished.values()))
        return [f"{what}: {count:,}" for what, count in self.dropped.items() if count]


def calls(reader: PythonReader) -> Iterator[Call]:
    """Yield the calls of all lines, in the order of their results."""
    parser = Parser()
    for line in reader.lines():
        call = parser.call(line)
        if call is not None:
            yield call
    reader.notes += parser.notes()


def _is_free(name: bytes) -> bool:
    """Return whether `name` is a function that frees a block."""
    return name in (b"free", b"cfree")


def _call(begun: Begun, result: bytes) -> Call:
    """Parse the arguments and result; raise ValueError or IndexError if they are malformed.

    If ltrace has no prototype of a function, it prints more arguments than the function takes. The
    surplus arguments are ignored.
    """
    numbers = [_number(text) for text in begun.arguments.split(b",")]
    first = numbers[0]
    if _is_free(begun.name):
        return Call(Op.FREE, first & _ADDRESS)
    address = _number(result) & _ADDRESS
    match begun.name:
        case b"malloc":
            return Call(Op.MALLOC, address, request=min(first, HUGE))
        case b"calloc":
            return Call(Op.CALLOC, address, request=min(first * numbers[1], HUGE))
        case b"realloc":
            return Call(Op.REALLOC, address, first & _ADDRESS, min(numbers[1], HUGE))
        case b"reallocarray":
            return Call(Op.REALLOC, address, first & _ADDRESS, min(numbers[1] * numbers[2], HUGE))
        case b"valloc" | b"pvalloc":
            return Call(Op.MEMALIGN, address, request=min(first, HUGE), alignment=PAGE)
    return Call(Op.MEMALIGN, address, 0, min(numbers[1], HUGE), min(first, HUGE))


_ADDRESS = (1 << ADDRESS_BITS) - 1


def _number(text: bytes) -> int:
    """Parse a number as ltrace prints it: decimal, or hexadecimal after 0x; else ValueError."""
    text = text.strip()
    digits = text.removeprefix(b"0x")
    if len(digits) > MAX_DIGITS or not digits.isalnum():
        raise ValueError(text)
    return int(digits, 10 if digits is text else 16)


FORMAT = Format(
    name="ltrace",
    summary="ltrace of the malloc family, as in: ls->malloc(472)  = 0x55eca71b62a0",
    looks_like=looks_like,
    open=partial(PythonReader, make=calls),
)
