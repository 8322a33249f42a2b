"""The footprint by call stack, as collapsed stacks: the text from which flame graphs are drawn.

A line consists of a stack, a space and a number. The frames of a stack are separated by semicolons,
and the outermost frame is the first. flamegraph.pl, inferno and speedscope read the format.
"""

from __future__ import annotations

from collections import Counter

from allocsim.call_sites.frame import Frame
from allocsim.errors import InputError
from allocsim.explanation.stacks import Stacks

MAX_LENGTH = 256 << 20
"""Maximum length of the text in characters. The text can be long because each line repeats the
names of all callers."""


def collapsed_stacks(stacks: Stacks, measure: str) -> str:
    """Return a line for each stack whose value of `measure` is not 0 (see `stacks.MEASURES`).

    Raises InputError if the text would be longer than MAX_LENGTH.
    """
    sums = Counter[str]()  # stacks of different modules may have equal names
    names, length = dict[Frame, str](), 0
    for frames, figures in stacks.rows():
        stack = ";".join([names.get(frame) or _name(frame, names) for frame in reversed(frames)])
        length += len(stack)
        if length > MAX_LENGTH:
            raise InputError(
                "the collapsed stacks are longer than 256 MiB; use --pprof, which writes each name "
                "once"
            )
        sums[stack] += figures[measure]
    return "".join(f"{stack} {size}\n" for stack, size in sums.items() if size)


def _name(frame: Frame, names: dict[Frame, str]) -> str:
    """Return a frame's label without semicolons, and store it in `names`."""
    return names.setdefault(frame, frame.label.replace(";", ":"))
