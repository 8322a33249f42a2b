"""The options that all drivers share, and what they come to.

Below the commands; a command takes `**shared` and makes `Settings` of it. Its one rule: an option
is declared once, here, and means the same in every command.
"""

from __future__ import annotations

from collections.abc import Callable
from os.path import abspath, dirname, isdir  # pathlib takes 3 ms, a tenth of all that --help does
from typing import Any, NamedTuple, TypeVar

import click

from allocsim.cli.types import CountType, SettingType, SizeType

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_RESERVE = 64 << 30
"""Bytes; as heap.RESERVE, which this cannot import: it would bring Numba into --help."""


class Settings(NamedTuple):
    """The shared options of a driver, as the user gave them."""

    design: str
    set: tuple[tuple[str, str], ...]
    reserve: int
    touch: str
    limit: int | None
    verify: bool
    every: int | None
    check_every: int | None
    json: bool
    export_json: str | None
    export_csv: str | None
    export_markdown: str | None
    classes: bool
    native_counters: bool

    def exports(self) -> list[str]:
        """Every file that is to be written."""
        paths = (self.export_json, self.export_csv, self.export_markdown)
        return [path for path in paths if path is not None]


_FILE = click.Path(dir_okay=False)

touch_option = click.option(
    "--touch",
    type=click.Choice(["none", "first", "page", "full"]),
    default="page",
    show_default=True,
    help="What the program writes in a fresh object: nothing, one byte, one in each page, all.",
)
"""What an object's first writing touches: the same choice for drivers and comparisons."""

_OPTIONS = (
    click.option("--design", default="go2008", show_default=True, help="The allocator's design."),
    click.option(
        "--set",
        type=SettingType(),
        multiple=True,
        help="A parameter, as `allocsim list designs` shows them; may be repeated.",
    ),
    click.option(
        "--reserve",
        type=SizeType(),
        default=DEFAULT_RESERVE,
        show_default="64GiB",
        help="Address space for the heap: its upper bound, free until used.",
    ),
    touch_option,
    click.option(
        "--limit", type=SizeType(), help="Fail (exit 1) when the footprint passes this size."
    ),
    click.option("--verify", is_flag=True, help="Stamp every object and check the stamps."),
    click.option(
        "--every",
        type=CountType(),
        help="Sample after each so many events; otherwise at most 2,000 times, evenly.",
    ),
    click.option(
        "--check-every", type=CountType(), help="Prove all invariants after each so many events."
    ),
    click.option(
        "--classes", is_flag=True, help="Also show each size class, and thread caches with a bound."
    ),
    click.option(
        "--native-counters",
        is_flag=True,
        help="Also show what the real library's own statistics would say, under its names.",
    ),
    click.option("--json", is_flag=True, help="Print the result as one JSON object."),
    click.option("--export-json", type=_FILE, help="Write the result as JSON to a file."),
    click.option("--export-csv", type=_FILE, help="Write the samples as CSV to a file."),
    click.option("--export-markdown", type=_FILE, help="Write the report as Markdown to a file."),
)


def driver_options(command: Command) -> Command:
    """Give a command the options that all drivers share, as the keyword `settings`."""

    def with_settings(**given: Any) -> Any:
        """Call the command with its own options and the shared ones as Settings."""
        settings = Settings(**{name: given.pop(name) for name in Settings._fields})
        require_writable(settings.exports())
        return command(settings=settings, **given)

    with_settings.__name__, with_settings.__doc__ = command.__name__, command.__doc__
    with_settings.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in reversed(_OPTIONS):
        option(with_settings)
    return with_settings  # type: ignore[return-value]


def recording_options(command: Command) -> Command:
    """Give a command the options that say how a recording is read, as `form` and `process`."""
    form = click.option(
        "--format",
        "form",
        metavar="NAME",
        help="The recording's format, if its content does not tell: see allocsim list formats.",
    )
    process = click.option(
        "--process",
        type=CountType(0, 2**62),
        metavar="PID",
        help="Whose calls to take, of a recording of several; otherwise the first one's.",
    )
    return form(process(command))


def seed_option(command: Command) -> Command:
    """Give a command the option --seed."""
    option = click.option(
        "--seed", type=CountType(0, 2**62), default=1, show_default=True, help="Of the random bits."
    )
    return option(command)


def require_writable(paths: list[str]) -> None:
    """A usage error now, not after the run, for a file that could not be written."""
    for path in paths:
        if not isdir(dirname(abspath(path))):
            raise click.UsageError(f"cannot write '{path}': there is no directory for it")
