"""The run of a program without a recorder, to find how much a recorder slows the program down.

This run is made only on request (--cost), because not every program can be run twice.
"""

from __future__ import annotations

import stat
from collections.abc import Callable

from allocsim.errors import InputError
from allocsim.recorders.program import Outcome, Program, run_program
from allocsim.recorders.standard_input import input_mode, input_position, rewind_input


def run_plainly(program: Program, notify: Callable[[str], None]) -> Outcome:
    """Run the program without a recorder, and rewind its standard input for the next run.

    Raises InputError, before anything is run, if the input can be read only once.
    """
    start = _position_of_input()
    notify(f"running {program.name} without a recorder")
    outcome = run_program(program, {})
    notify(f"{program.name} {outcome.description} after {outcome.seconds:.2f} s")
    if start is not None:
        rewind_input(start)
    return outcome


def compared_with(plain: Outcome, recorded: Outcome, name: str, recorder: str) -> str:
    """Return a sentence that compares the two runs."""
    cost = f"{plain.seconds:.3f} s without a recorder, {recorded.seconds:.3f} s with {recorder}"
    if plain.seconds > 0:
        cost += f": {recorded.seconds / plain.seconds:.1f}x"
    if plain.status != recorded.status:
        cost += f"; without {recorder}, {name} {plain.description}"
    return cost


def _position_of_input() -> int | None:
    """Return the position in standard input, or None if it has no position.

    A terminal, another character device and a closed input have no position. Raises InputError for
    an input that can be read only once, such as a pipe.
    """
    mode = input_mode()
    if mode is None or stat.S_ISREG(mode) or stat.S_ISCHR(mode):
        return input_position()
    raise InputError(
        "--cost runs the program twice, but standard input can be read only once; redirect it "
        "from a file"
    )
