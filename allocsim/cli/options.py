"""Options that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from allocsim.cli.completion import complete_design, complete_format
from allocsim.cli.output_files import OutputType, require_outputs
from allocsim.cli.picture_options import picture_options, require_renderer_for
from allocsim.cli.types import CountType, MomentType, SettingType, SizeType

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_RESERVE = 64 << 30
"""Bytes. Equal to heap.RESERVE, whose import would load Numba and slow down --help."""


class Settings(NamedTuple):
    """The options of the run commands: replay, run, random, repeat and empirical."""

    design: str | None  # None: the default for the workload
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
    html: str | None
    svg: str | None
    png: str | None
    classes: bool
    native_counters: bool
    at: Any  # moments.Choice, or None


touch_option = click.option(
    "--touch",
    type=click.Choice(["none", "first", "page", "full"]),
    default="page",
    show_default=True,
    help="Bytes written in a new object: none, the first one, one in each page, or all. `compare`, "
    "`check` and `explain` leave out pages that the recorded program did not touch.",
)
"""Declared outside _OPTIONS, because `compare` and `check` have this option too."""

threads_option = click.option(
    "--threads",
    type=click.Choice(["recorded", "one"]),
    default="recorded",
    show_default=True,
    help="recorded: each recorded thread has its own cache. one: all threads share a single cache.",
)
"""For `replay`, `explain` and `tune`."""

design_option = click.option(
    "--design",
    metavar="NAME|FILE.py",
    shell_complete=complete_design,
    help="Simulated allocator; see `allocsim list designs`. Default: glibc for recordings, "
    "otherwise go2008.",
)

_OPTIONS = (
    design_option,
    click.option(
        "--set",
        type=SettingType(),
        multiple=True,
        help="Set a parameter of the design; may be repeated. See `allocsim list designs`.",
    ),
    click.option(
        "--reserve",
        type=SizeType(),
        default=DEFAULT_RESERVE,
        show_default="64GiB",
        help="Address space reserved for the heap, which cannot grow beyond it. It uses no memory "
        "until the heap grows.",
    ),
    touch_option,
    click.option(
        "--limit",
        type=SizeType(),
        help="Fail (exit 1) when the footprint exceeds this size. Without this option, fail (exit "
        "3) when it exceeds 75% of the available memory.",
    ),
    click.option(
        "--verify",
        is_flag=True,
        help="Fill every object with a pattern; check it when the object is freed and at the end.",
    ),
    click.option(
        "--every",
        metavar="N",
        type=CountType(),
        help="Take a sample every N events; by default, up to 2,000 samples, evenly spaced.",
    ),
    click.option(
        "--check-every",
        metavar="N",
        type=CountType(),
        help="Check all invariants of the heap every N events.",
    ),
    click.option(
        "--classes",
        is_flag=True,
        help="Also show the size classes, and the thread caches if the design limits their size.",
    ),
    click.option(
        "--native-counters",
        is_flag=True,
        help="Also show the counters that the original library would report.",
    ),
    click.option(
        "--at",
        type=MomentType(),
        metavar="MOMENT",
        help="Also show the heap at one moment: peak, live-peak, worst (when footprint minus live "
        "is largest), end, a number of events, a share of all events (50%), or a time (3.5s). For "
        "this, the workload is replayed again.",
    ),
    click.option("--json", is_flag=True, help="Print the result as one JSON object."),
    click.option("--export-json", type=OutputType(), help="Write the result as JSON to a file."),
    click.option("--export-csv", type=OutputType(), help="Write the samples as CSV to a file."),
    click.option(
        "--export-markdown", type=OutputType(), help="Write the report as Markdown to a file."
    ),
)


def driver_options(command: Command) -> Command:
    """Give a run command the options that all run commands share, as `settings`."""

    def with_settings(**values: Any) -> Any:
        """Call the command with its other options, and with the shared options as Settings."""
        settings = Settings(**{name: values.pop(name) for name in Settings._fields})
        require_outputs()
        require_renderer_for(settings._asdict())
        return command(settings=settings, **values)

    with_settings.__name__, with_settings.__doc__ = command.__name__, command.__doc__
    with_settings.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (picture_options, *reversed(_OPTIONS)):
        option(with_settings)
    return with_settings  # type: ignore[return-value]


def recording_options(command: Command) -> Command:
    """Give a command the options for reading a recording, as `form` and `process`."""
    form = click.option(
        "--format",
        "form",
        metavar="NAME",
        shell_complete=complete_format,
        help="Format of the recording; by default, it is detected. See `allocsim list formats`.",
    )
    process = click.option(
        "--process",
        type=CountType(0, 2**62),
        metavar="PID",
        help="Process to replay, if the recording has several; by default the first.",
    )
    return form(process(command))


def seed_option(command: Command) -> Command:
    """Give a command the option --seed, as `seed`."""
    option = click.option(
        "--seed", type=CountType(0, 2**62), default=1, show_default=True, help="Random seed."
    )
    return option(command)
