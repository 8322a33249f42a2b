"""Text from outside, as it may be shown: names of files, what stands in them, what was typed.

At the bottom beside `errors`; whoever shows such a text passes it through here. Its one rule: what
is shown is one line and moves no cursor: a file may be called, or hold, what clears the screen,
sets the terminal's title or looks like a message of ours.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with every character that is none to look at as Python would write it."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def printable_lines(text: str) -> str:
    """The same for a text of our own in several lines, in which others' words stand."""
    return "\n".join(map(printable, text.expandtabs(4).split("\n")))
