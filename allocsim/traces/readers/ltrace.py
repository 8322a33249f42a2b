"""What ltrace prints of malloc and its kin (ltrace -e malloc+free+calloc+realloc…, also with -f).

A reader in plain Python: whoever records with ltrace waits hundreds of times as long as the program
takes, so the files are small. A line is

    [TID] [TIME] LIBRARY->NAME(ARGUMENTS) = RESULT

or, where another call comes between, the same in two: NAME(ARGUMENTS <unfinished ...>, and later
<... NAME resumed> ) = RESULT; a call that ltrace has lost ends in <no return ...>. A process that
-f follows looks as a thread does. Its one rule: calls inside libc are left out, since ltrace
misnames them, and so is all that is no line of ltrace.
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
from allocsim.traces.scan.python_reader import GeneratedReader

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

DEEPEST = 16
"""Calls of one thread that may be unfinished; the oldest beyond that is lost."""

MOST_THREADS = 1 << 12
"""Threads that may have unfinished calls."""

LOST = "calls without a beginning or an end, left out"
HIDDEN = "calls whose address ltrace does not show (posix_memalign), left out"
INSIDE = "calls inside libc, which ltrace gets wrong, left out"
FOREIGN = "lines not of the format, left out"


class Begun(NamedTuple):
    """A call without its result."""

    library: bytes
    name: bytes
    arguments: bytes


def looks_like(head: bytes) -> bool:
    """Whether the beginning holds a call."""
    return _FIRST.search(head) is not None


class Lines:
    """What is kept from line to line: the calls that are unfinished, and what was left out."""

    def __init__(self) -> None:
        self.unfinished: dict[int, list[Begun]] = {}
        self.left_out: Counter[str] = Counter()

    def call(self, line: bytes) -> Call | None:
        """The call that ends with a line, or begins if it is a free; None if none does."""
        begun, resumed = _BEGUN.match(line), _RESUMED.match(line)
        found = begun or resumed
        if found is None:
            self.left_out[FOREIGN] += bool(line.strip()) and not _OTHER.match(line)
            return None
        thread = int(found["pid"] or found["tid"] or 0)
        if begun is None:
            whole = self._resumed(thread, found["name"])
        else:
            whole = Begun(begun["library"] or b"", begun["name"], begun["arguments"])
            if begun["cut"] and not _is_free(whole.name):
                self._keep(thread, whole)
                return None
        return None if whole is None else self._made(whole, found["result"] or b"0", thread)

    def _keep(self, thread: int, begun: Begun) -> None:
        """Put a call that has begun on its thread's stack."""
        stack = self.unfinished.setdefault(thread, [])
        stack.append(begun)
        if len(stack) > DEEPEST or len(self.unfinished) > MOST_THREADS:
            self.left_out[LOST] += 1
            del stack[0]
        if not stack:
            del self.unfinished[thread]

    def _resumed(self, thread: int, name: bytes) -> Begun | None:
        """The thread's last unfinished call, if it has that name; a free was done as it began."""
        if _is_free(name):
            return None
        stack = self.unfinished.pop(thread, [])
        while stack:
            begun = stack.pop()
            if begun.name == name:
                if stack:
                    self.unfinished[thread] = stack
                return begun
            self.left_out[LOST] += 1
        self.left_out[LOST] += 1
        return None

    def _made(self, begun: Begun, result: bytes, thread: int) -> Call | None:
        """The call of a line that is whole; None if it is none of ours."""
        if begun.library.startswith(b"libc.so"):
            self.left_out[INSIDE] += 1
            return None
        if begun.name == b"posix_memalign":
            self.left_out[HIDDEN] += 1
            return None
        try:
            return _call(begun, result)._replace(thread=thread)
        except (ValueError, IndexError):
            self.left_out[FOREIGN] += 1
            return None

    def notes(self) -> list[str]:
        """What was left out, in words."""
        self.left_out[LOST] += sum(map(len, self.unfinished.values()))
        return [f"{what}: {count:,}" for what, count in self.left_out.items() if count]


def calls(reader: GeneratedReader) -> Iterator[Call]:
    """The calls of all lines, each when its result is known."""
    lines = Lines()
    for line in reader.lines():
        call = lines.call(line)
        if call is not None:
            yield call
    reader.notes += lines.notes()


def _is_free(name: bytes) -> bool:
    """Whether the function of that name frees."""
    return name in (b"free", b"cfree")


def _call(begun: Begun, result: bytes) -> Call:
    """The call that its texts say; ValueError or IndexError if they are not of the format.

    A function that ltrace has no prototype for shows more arguments than it has.
    """
    given = [_number(text) for text in begun.arguments.split(b",")]
    first = given[0]
    if _is_free(begun.name):
        return Call(Op.FREE, first & _ADDRESS)
    address = _number(result) & _ADDRESS
    match begun.name:
        case b"malloc":
            return Call(Op.MALLOC, address, request=min(first, HUGE))
        case b"calloc":
            return Call(Op.CALLOC, address, request=min(first * given[1], HUGE))
        case b"realloc":
            return Call(Op.REALLOC, address, first & _ADDRESS, min(given[1], HUGE))
        case b"reallocarray":
            return Call(Op.REALLOC, address, first & _ADDRESS, min(given[1] * given[2], HUGE))
        case b"valloc" | b"pvalloc":
            return Call(Op.MEMALIGN, address, request=min(first, HUGE), alignment=PAGE)
    return Call(Op.MEMALIGN, address, 0, min(given[1], HUGE), min(first, HUGE))


_ADDRESS = (1 << ADDRESS_BITS) - 1


def _number(text: bytes) -> int:
    """A number as ltrace prints it: decimal, or 0x and hexadecimal; ValueError if it is none."""
    text = text.strip()
    digits = text.removeprefix(b"0x")
    if len(digits) > 20 or not digits.isalnum():
        raise ValueError(text)
    return int(digits, 10 if digits is text else 16)


FORMAT = Format(
    name="ltrace",
    summary="ltrace of malloc and its kin, as in: ls->malloc(472)  = 0x55eca71b62a0",
    looks_like=looks_like,
    open=partial(GeneratedReader, make=calls),
)
