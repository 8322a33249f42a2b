"""Callers: call sites for which a recording has only one address, the call's return address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from allocsim.call_sites.frame import Frame, address_frame, make_frame
from allocsim.call_sites.symbols import Place, resolve


class Caller(NamedTuple):
    """A caller of malloc."""

    text: bytes
    """The recorded text, shown if it cannot be parsed."""
    address: int | None = None
    """The return address, relative to the load address of the file; None if it is not known."""
    path: bytes = b""
    """Executable or library, or b"" if it is not known."""
    symbol: bytes = b""
    """The function, if the recording names it."""

    def place(self) -> Place:
        """Return the place of the call instruction, which ends at the return address."""
        return Place(self.path, max((self.address or 0) - 1, 0))


def caller_frames(callers: Sequence[Caller], recording: str) -> tuple[list[Frame], list[str]]:
    """Return the frame of each caller, and notes about symbols that could not be read.

    If the executable or library is on this machine, a frame has function and line. Otherwise it has
    the function that the recording names. `recording` is the path of the recording.
    """
    places = [caller.place() for caller in callers]
    resolved = resolve(places, recording)
    frames = []
    for caller, place, chain in zip(callers, places, resolved.chains, strict=True):
        if caller.address is None:
            frames.append(make_frame(caller.text))
        elif caller.symbol and chain == [address_frame(*place)]:
            frames.append(make_frame(caller.symbol, module=place.path))
        else:
            frames.append(chain[0])
    return frames, resolved.notes
