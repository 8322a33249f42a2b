"""An explanation as collapsed stacks, the text from which flame graphs are drawn.

A line has the frames of a stack, outermost first and separated by semicolons, then a space and a
number. flamegraph.pl, inferno and speedscope read the format.
"""

from __future__ import annotations

from collections import Counter

from allocsim.call_sites.frame import Frame
from allocsim.explanation.stacks import Stacks


def collapsed_stacks(stacks: Stacks, measure: str) -> str:
    """Return a line for each stack whose figure of a measure is not 0 (see `stacks.MEASURES`)."""
    sums = Counter[str]()  # stacks of different modules may have equal names
    for frames, figures in stacks.rows():
        sums[";".join(map(_name, reversed(frames)))] += figures[measure]
    return "".join(f"{stack} {size}\n" for stack, size in sums.items() if size)


def _name(frame: Frame) -> str:
    """Return a frame's label without the character that separates frames."""
    return frame.label.replace(";", ":")
