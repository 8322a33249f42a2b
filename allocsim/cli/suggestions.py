"""Suggestions for an unknown option: the commands that have it, or a similar option.

click's own suggestions compare the dashes too, so that `--png` looks similar to `--ops`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import click

MAX_COMMANDS = 4
"""Maximum number of commands that a suggestion names."""


def suggestion_for(option: str, context: click.Context) -> str:
    """Return a sentence that helps after an unknown option of the context's command, or ""."""
    having = sorted(name for name, command in _commands(context) if option in _options(command))
    if having:
        others = " and others" if len(having) > MAX_COMMANDS else ""
        return f"It is an option of {', '.join(having[:MAX_COMMANDS])}{others}."
    name = option.lstrip("-")
    own = {text.lstrip("-"): text for text in _options(context.command)}
    longer = [text for text in own if name and text.startswith(name)]
    near = longer[:1] or difflib.get_close_matches(name, own, n=1)
    return f"Did you mean '{own[near[0]]}'?" if near else ""


def _options(command: click.Command) -> list[str]:
    """Return the long options of a command."""
    options = (each for each in command.params if isinstance(each, click.Option))
    return [text for each in options for text in each.opts if text.startswith("--")]


def _commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name, as in "trace cut"."""
    root = context.find_root()
    groups = [("", root.command)]
    while groups:
        prefix, group = groups.pop()
        if not isinstance(group, click.Group):
            yield prefix, group
            continue
        for name in group.list_commands(root):
            if command := group.get_command(root, name):
                groups.append((f"{prefix} {name}".strip(), command))
