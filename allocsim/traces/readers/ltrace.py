"""Output of ltrace for the malloc family (ltrace -e malloc+free+calloc+realloc..., also with -f).

The reader also accepts logs of hand-written malloc hooks, because most of these have the same
lines: malloc(10) = 0x55d0, free(0x55d0). In such a log, =>, -> or : may replace the =, and the
blanks around it may be missing.

A program under ltrace runs hundreds of times slower, so the files are small and the reader is not
compiled. A line is

    [TID] [TIME] LIBRARY->NAME(ARGUMENTS) = RESULT

A call that another call interrupts takes two lines: NAME(ARGUMENTS <unfinished ...>, and later
<... NAME resumed> ) = RESULT. If ltrace missed the return of a call, the line ends in
<no return ...>. Calls inside libc (LIBRARY is libc, or NAME@libc.so.6) are dropped, because ltrace
misnames them. Lines without a call are skipped.

A TID may be the id of a thread or, with -f, of a process; ltrace does not say which. All ids are
taken for threads of one process, unless the user selects one id as a process. If the end of a child
process was recorded, the calls belong to several heaps. The trace is then not valid unless the user
selects a process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from re import MULTILINE
from re import compile as pattern
from typing import NamedTuple

from allocsim.events import Op
from allocsim.text import counted
from allocsim.traces.calls import ADDRESS_BITS, HUGE, PAGE, Call
from allocsim.traces.formats import Format
from allocsim.traces.reader import SKIPPED
from allocsim.traces.scan.lex import MAX_DIGITS
from allocsim.traces.scan.python_reader import PythonReader

_WHO = (
    rb"(?:\[(?:pid )?(?P<pid>\d{1,18})\] ?|(?P<tid>\d{1,18}):? +)?"
    rb"(?:\d+:\d+:\d+(?:\.\d+)? |\d+\.\d+ )?"
)
_NAMES = (
    rb"malloc|calloc|realloc|reallocarray|free|cfree|memalign|posix_memalign|aligned_alloc|valloc"
    rb"|pvalloc"
)
_NAME = rb"(?P<name>" + _NAMES + rb")(?:@(?P<inside>[^\s()<>]{1,200}))?"
_CALL = (
    _WHO + rb"(?:(?P<library>[^\s()<>]{1,200})->)?" + _NAME
    + rb"\((?P<arguments>(?:[^()\n]|\(nil\)){0,200}?)"
)  # fmt: skip
_RESULT = rb"(?P<result>\(nil\)|0x[0-9A-Fa-f]+|\d+|<void>)(?!\w)"
# After a TID without brackets, a blank must precede the =. Lines of Firefox's logalloc have no
# blank there, so they do not match.
_END = (
    rb"(?:(?P<cut> <(?:unfinished|no return) \.\.\.>)|\)(?(tid) +| *)(?:=>?|->|:) *"
    + _RESULT
    + rb")"
)
_BEGUN = pattern(_CALL + rb"(?:" + _END + rb"|\)\s*$)")
_RESUMED = pattern(_WHO + rb"<\.\.\. " + _NAME + rb" resumed> [^=\n]{0,200}= " + _RESULT)
_FIRST = pattern(rb"^" + _CALL + _END, MULTILINE)

_SIGNAL = pattern(_WHO + rb"(?:\+\+\+ |--- (?P<child>SIGCHLD)?)")
_OTHER = pattern(_WHO + rb"(?:[^\s()<>]{1,200}->(?!(?:" + _NAMES + rb")\W)\w|<\.\.\. )")
_UNREADABLE = pattern(rb"(?:^|\W)(?:" + _NAMES + rb")(?:@\S{1,200})?\(")

MAX_UNFINISHED = 16
"""Maximum number of unfinished calls of one thread. If there are more, the thread's oldest is
dropped.
"""

MAX_THREADS = 1 << 12
"""Maximum number of threads with unfinished calls. Also the maximum number of threads whose calls
are counted."""

MAX_SHOWN = 5
"""Maximum number of thread ids that a note names."""

UNREADABLE = "dropped calls that cannot be read"
INCOMPLETE = "dropped calls whose beginning or end is missing"
NO_ADDRESS = "dropped calls whose address ltrace does not print (posix_memalign)"
INSIDE_LIBC = "dropped calls inside libc, which ltrace misnames"
"""Beginnings of the notes on dropped calls."""


class Begun(NamedTuple):
    """A call whose result is not known yet."""

    library: bytes
    name: bytes
    arguments: bytes


def looks_like(head: bytes) -> bool:
    """Return whether `head`, the beginning of a file, contains a call."""
    return _FIRST.search(head) is not None


class Parser:
    """Turns lines into calls. It stores unfinished calls, and counts dropped calls and lines."""

    def __init__(self) -> None:
        self.unfinished: dict[int, list[Begun]] = {}
        self.dropped: Counter[str] = Counter()
        self.calls: Counter[int] = Counter()
        """Calls by thread id."""
        self.has_children = False
        """Whether a process got SIGCHLD, the signal that its child has ended."""

    def call(self, line: bytes) -> Call | None:
        """Return the call that a line completes, or None.

        A free has no result, so it is complete when it begins.
        """
        begun, resumed = _BEGUN.match(line), _RESUMED.match(line)
        match = begun or resumed
        if match is None:
            self._skip(line)
            return None
        thread = int(match["pid"] or match["tid"] or 0)
        if begun is None:
            call = self._resume(thread, match["name"])
        else:
            library = begun["inside"] or begun["library"] or b""
            call = Begun(library, begun["name"], begun["arguments"])
            if begun["cut"] and not _is_free(call.name):
                self._suspend(thread, call)
                return None
        return None if call is None else self._complete(call, match["result"] or b"", thread)

    def _skip(self, line: bytes) -> None:
        """Count a line that is neither the beginning nor the end of a call."""
        if signal := _SIGNAL.match(line):
            self.has_children |= signal["child"] is not None
        elif not _OTHER.match(line):
            reason = UNREADABLE if _UNREADABLE.search(line) else SKIPPED
            self.dropped[reason] += bool(line.strip())

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
        if _is_free(name):  # the free was complete when it began (see `call`)
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
        """Return the Call for a call whose result is known, or None if the call is dropped."""
        if begun.library.startswith(b"libc.so"):
            self.dropped[INSIDE_LIBC] += 1
            return None
        if begun.name == b"posix_memalign":
            self.dropped[NO_ADDRESS] += 1
            return None
        try:
            call = _call(begun, result)._replace(thread=thread)
        except (ValueError, IndexError):
            self.dropped[UNREADABLE] += 1
            return None
        if thread in self.calls or len(self.calls) < MAX_THREADS:
            self.calls[thread] += 1
        return call

    def finish(self, reader: PythonReader) -> None:
        """Add notes about dropped calls and skipped lines to the reader.

        Sentences about calls that may be missing or mixed up go to `reader.losses` instead.
        """
        self.dropped[INCOMPLETE] += sum(map(len, self.unfinished.values()))
        reader.notes += [f"{reason}: {count:,}" for reason, count in self.dropped.items() if count]
        reader.unreadable_calls = sum(
            self.dropped[reason] for reason in (UNREADABLE, INCOMPLETE, NO_ADDRESS)
        )
        skipped, read = self.dropped[SKIPPED], self.calls.total()
        if skipped > read:
            reader.losses.append(
                f"more lines were skipped ({skipped:,}) than calls were read ({read:,}), so calls "
                "in an unknown form may be missing"
            )
        if len(self.calls) > 1 and reader.process is None:
            (reader.losses if self.has_children else reader.notes).append(self._processes())

    def _processes(self) -> str:
        """Return a sentence about the processes whose calls are, or may be, mixed."""
        frequent = self.calls.most_common(MAX_SHOWN)
        ids = ", ".join(f"{thread} ({counted(count, 'call')})" for thread, count in frequent)
        if len(self.calls) > len(frequent):
            ids += f" and {len(self.calls) - len(frequent)} more"
        if self.has_children:
            return f"the heaps of several processes are mixed: {ids}; select one with --process PID"
        return (
            "processes are not distinguished from threads; these ids are taken for threads: "
            f"{ids} (--process PID selects one as a process)"
        )


def calls(reader: PythonReader) -> Iterator[Call]:
    """Yield the calls of all lines in the order in which they completed."""
    parser, has_processes = Parser(), reader.process is not None
    for line in reader.lines():
        call = parser.call(line)
        if call is not None:
            yield call._replace(process=call.thread) if has_processes else call
    parser.finish(reader)


def _is_free(name: bytes) -> bool:
    """Return whether `name` is a function that frees a block."""
    return name in (b"free", b"cfree")


def _call(begun: Begun, result: bytes) -> Call:
    """Parse the arguments and the result; raise ValueError or IndexError if one is malformed.

    If ltrace has no prototype of a function, it prints more arguments than the function takes. The
    surplus arguments are ignored.
    """
    numbers = [_number(text) for text in begun.arguments.split(b",")]
    first = numbers[0]
    if _is_free(begun.name):
        return Call(Op.FREE, first & _ADDRESS)
    if not result:
        raise ValueError(begun.name)
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
    """Parse (nil), a decimal number, or a hexadecimal number with 0x; else raise ValueError."""
    text = text.strip()
    if text == b"(nil)":
        return 0
    digits = text.removeprefix(b"0x")
    if len(digits) > MAX_DIGITS or not digits.isalnum():  # int() accepts signs and underscores
        raise ValueError(text)
    return int(digits, 10 if digits is text else 16)


FORMAT = Format(
    name="ltrace",
    summary="ltrace of the malloc family, or a log of this form from a malloc hook, as in: "
    "ls->malloc(472)  = 0x55eca71b62a0",
    looks_like=looks_like,
    open=partial(PythonReader, make=calls),
)
