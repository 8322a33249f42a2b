"""Stack frames with names that are safe to print.

The names come from files that anyone may have written. `make_frame` shortens long names and escapes
characters that are not printable. It does not escape markup: a report in HTML or Markdown must do
that.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

from allocsim.text import printable

MAX_NAME = 300
"""Maximum length of a name in characters. Names of C++ templates may have thousands."""

MAX_LINE = (1 << 31) - 1
"""Maximum line number."""


class Frame(NamedTuple):
    """A function, and the line of its source code that calls the next function or allocates."""

    function: str
    """Demangled name; module and offset, as in "libx.so+0x1f", if the name is not known."""
    file: str = ""
    """Path of the source file, or "" if it is not known."""
    line: int = 0
    """Line in the source file, counted from 1, or 0 if it is not known."""
    module: str = ""
    """Path of the executable or library; "" for a Python function."""

    @property
    def place(self) -> str:
        """File and line, as in "guilty.cpp:11", or the module if the file is unknown.

        "" if file and module are unknown.
        """
        name = PurePath(self.file or self.module).name
        return f"{name}:{self.line}" if self.file and self.line else name

    @property
    def label(self) -> str:
        """Function and place, as in "remember_session guilty.cpp:11"."""
        named = not self.file and self.function.startswith(f"{self.place}+0x")
        return self.function if named or not self.place else f"{self.function} {self.place}"


UNKNOWN = Frame("[unknown]")
"""The frame of an object whose call site is not known."""


def make_frame(
    function: str | bytes, file: str | bytes = "", line: int = 0, module: str | bytes = ""
) -> Frame:
    """Return a frame with shortened, escaped names; a line that is out of range becomes 0."""
    number = line if 0 <= line <= MAX_LINE else 0
    return Frame(_clean(function) or UNKNOWN.function, _clean(file), number, _clean(module))


def address_frame(module: str | bytes, offset: int) -> Frame:
    """Return the frame of an unknown function at an offset in `module`."""
    path = _clean(module)
    name = PurePath(path).name
    return Frame(f"{name}+{offset:#x}" if name else f"{offset:#x}", module=path)


def _clean(name: str | bytes) -> str:
    """Return a name as printable text of at most MAX_NAME characters."""
    if isinstance(name, bytes):
        name = name[: 4 * MAX_NAME].decode("utf-8", "replace")
    text = printable(name[:MAX_NAME])
    return text if len(text) <= MAX_NAME and len(name) <= MAX_NAME else text[: MAX_NAME - 1] + "…"
