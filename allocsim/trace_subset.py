"""Pieces of a trace: a stretch of it, or a share of its objects, sound in themselves.

Above `cuts`, which says what is in a stretch; below the commands that cut and sample. An object is
in a piece with all its calls or not at all. Objects and threads get new numbers, dense in order of
appearance; what is left out by intention is told in notes, and is no drop. Its one rule: which
objects are chosen depends on the seed and on how many were allocated before, on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Record
from allocsim.events import MAX_THREADS, Op, Trace, no_events
from allocsim.trace_slice import ENDLESS, Stretch, longer

ALL = 1 << 31
"""The share of all objects; half of it is half of them."""


@dataclass(frozen=True)
class Choice:
    """Which events make the piece."""

    first: int = 0
    """Events before the piece."""
    last: int = ENDLESS
    """Events up to its end."""
    keep: int = ALL
    """Objects to keep, of ALL."""
    seed: int = 0


PICK = np.dtype(
    [
        ("keep", np.int64),  # as in Choice
        ("seed", np.int64),  # as in Choice
        ("births", np.int64),  # objects allocated in the stretch so far
        ("written", np.int64),  # events and notes in the current output
        ("numbers", np.int64),  # object numbers of the piece given out so far
        ("spare", np.int64),  # of those, numbers on the stack of spare ones
        ("threads", np.int64),  # threads of the piece so far
        ("freezes", np.int64),  # notes left out since they hold for the whole only
    ],
    align=True,
)


class Kept(NamedTuple):
    """What a piece holds so far."""

    pick: np.recarray  # one PICK
    numbers: np.ndarray  # int64, by the object's number in the whole: its number here + 1, or 0
    spare: np.ndarray  # int64, a stack of object numbers to use again
    threads: np.ndarray  # int64, by the thread's number in the whole: its number here + 1, or 0


def piece_of(trace: Trace, choice: Choice) -> Trace:
    """The piece of `trace` that was chosen; taking it takes the trace."""
    source = trace.description.get("source", trace.description)
    piece = Trace(
        name=trace.name,
        chunks=iter(()),
        description=trace.description | {"source": source | {"piece": _described(choice)}},
        seed=trace.seed,
        notes=trace.notes,
        progress=trace.progress,
        resource=trace,
    )
    piece.chunks = _picked(trace, choice, piece)
    return piece


def _described(choice: Choice) -> dict[str, Any]:
    """The choice for reports, without what it leaves as it is."""
    if choice.keep < ALL:
        return {"keep": round(choice.keep / ALL, 9), "seed": choice.seed}
    return {"from": choice.first} | ({} if choice.last == ENDLESS else {"to": choice.last})


def _picked(whole: Trace, choice: Choice, piece: Trace) -> Iterator[Any]:
    """The events of the piece; what was left out is told at the end."""
    kept, stretch = _nothing_kept(choice), Stretch(choice.first, choice.last)
    pick = kept.pick[0]
    with closing(whole):
        for chunk in stretch.of(whole.chunks):
            position, out = 0, no_events(len(chunk))
            while position < len(chunk):
                position = keep_chosen(kept, chunk, position, out)
                if pick.written:
                    yield out[: pick.written]
                if position < len(chunk):
                    kept = _with_room_for(kept, int(chunk[position].object))
    _tell(piece, "left out by the cut", stretch.left_out())
    if pick.freezes:
        piece.notes.append("a sample never freezes its heap: the whole does")
    _tell(piece, "left out of the whole", whole.dropped)


def _tell(piece: Trace, what: str, counts: dict[str, int]) -> None:
    """Note what was left out, and why, if anything was."""
    if counts:
        told = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
        piece.notes.append(f"{what}: {told}")


def _nothing_kept(choice: Choice, objects: int = 1 << 12) -> Kept:
    """The state before the first event."""
    pick = np.zeros(1, PICK).view(np.recarray)
    pick.keep, pick.seed = choice.keep, choice.seed
    zeros = (np.zeros(count, np.int64) for count in (objects, objects, MAX_THREADS))
    return Kept(pick, *zeros)


def _with_room_for(kept: Kept, number: int) -> Kept:
    """The same state with room for the object of that number in the whole."""
    numbers, spare = longer(kept.numbers, number), longer(kept.spare, number)
    return kept._replace(numbers=numbers, spare=spare)


@kernel
def keep_chosen(kept: Kept, events: np.recarray, start: int, out: np.recarray) -> int:
    """Copy what is chosen of events[start:]; the position of the first that is not looked at.

    It stops at an object beyond the table.
    """
    pick = kept.pick[0]
    pick.written = 0
    position = start
    while position < len(events):
        event = events[position]
        if event.op > Op.FREE:
            _keep_note(kept, pick, event, out)
        elif event.object >= len(kept.numbers):
            break
        else:
            pick.births += event.op < Op.REALLOC
            _keep_call(kept, pick, event, out)
        position += 1
    return position


@kernel
def _keep_call(kept: Kept, pick: Record, event: Record, out: np.recarray) -> None:
    """Copy a call if its object is in the piece, or comes into it now."""
    number = kept.numbers[event.object] - 1
    if number < 0:
        is_birth = event.op < Op.REALLOC
        if not is_birth or share_of(pick.births, pick.seed) >= pick.keep:
            return
        if pick.spare:
            pick.spare -= 1
            number = kept.spare[pick.spare]
        else:
            number = pick.numbers
            pick.numbers += 1
        kept.numbers[event.object] = number + 1
    elif event.op == Op.FREE:
        kept.numbers[event.object] = 0
        kept.spare[pick.spare] = number
        pick.spare += 1
    if not kept.threads[event.thread]:
        pick.threads += 1
        kept.threads[event.thread] = pick.threads
    _write(kept, pick, event, out, number)


@kernel
def _keep_note(kept: Kept, pick: Record, event: Record, out: np.recarray) -> None:
    """Copy a note if it holds for the piece too."""
    if event.op == Op.FREEZE:
        if pick.keep < ALL:
            pick.freezes += 1
        else:
            _write(kept, pick, event, out, 0)
    elif kept.threads[event.thread]:
        _write(kept, pick, event, out, 0)


@kernel
def _write(kept: Kept, pick: Record, event: Record, out: np.recarray, number: int) -> None:
    """Write an event under the object's number in the piece."""
    copy = out[pick.written]
    pick.written += 1
    copy.request = event.request
    copy.object = number
    copy.thread = max(kept.threads[event.thread] - 1, 0)
    copy.op = event.op
    copy.alignment = event.alignment


@kernel
def share_of(birth: int, seed: int) -> int:
    """A number from 0 to ALL - 1, as if drawn by chance, for the object allocated as `birth`th."""
    mixed = _mix(seed & (ALL - 1)) ^ _mix((seed >> 31) + 1)
    return _mix(_mix(mixed ^ (birth & (ALL - 1))) ^ (birth >> 31))


@kernel
def _mix(bits: int) -> int:
    """Other 31 bits for these 31, one to one, each depending on many; no product has 64 bits."""
    bits ^= bits >> 16
    bits = bits * 0x5851F42D & 0x7FFFFFFF
    bits ^= bits >> 15
    bits = bits * 0x2545F491 & 0x7FFFFFFF
    return bits ^ bits >> 16
