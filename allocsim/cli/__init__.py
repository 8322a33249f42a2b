"""The command line: parse, call, report.

The top of the house. Commands live in modules of their own, which import only click until they
run, so that --help and usage errors answer at once. Its one rule: this is the only place that
prints errors and decides the exit status: 0 done, 1 a check failed, 2 usage or unreadable input,
3 the environment lacks something, 130 interrupted, 141 the reader of our output went away.
"""

from __future__ import annotations

import contextlib
import os
import sys
from errno import EBADF, EDQUOT, EFBIG, EIO, ENOSPC
from importlib import import_module
from typing import Any, TextIO

import click

from allocsim import __version__
from allocsim.cli.output import ASCII_FALLBACK, register_ascii_fallback
from allocsim.errors import AllocsimError
from allocsim.text import printable, printable_lines

COMMANDS = {
    "random": "Put objects of random sizes into random slots, and free what is there.",
    "repeat": "Allocate and free the same sizes again and again, frozen after the first round.",
    "sizeclass-check": "Take every size through the class table, both ways, and show its waste.",
    "run": "Run a job: a shipped workload by its name, or a job file of your own.",
    "empirical": "Keep a heap in the steady state that a table of sizes and rates describes.",
    "replay": "Replay a recorded trace: a file, packed or not, or - for standard input.",
    "compare": "Put designs and the malloc libraries of this machine side by side.",
    "check": "Fail (exit 1) if a result passes a limit: for CI jobs.",
    "trace": "Look at traces, convert them, take pieces of them.",
    "record": "Run PROGRAM, record its malloc calls, and keep them as a trace to replay.",
    "list": "Show the designs, the shipped workloads, the trace formats, or the libraries here.",
}
"""Each command in a line; the module that defines it as `command` has its name, with _ for -."""


OUTPUT_REFUSED = (EBADF, EDQUOT, EFBIG, EIO, ENOSPC)
"""What the system answers when the output cannot be written."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for, not to list it."""

    def __init__(self, *args: Any, package: str, summaries: dict[str, str], **kwargs: Any) -> None:
        """`summaries` names each command, whose module lies in `package`, and says what it does."""
        super().__init__(*args, **kwargs)
        self.package, self.summaries = package, summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the help page."""
        return [*self.summaries]  # the command `list` hides Python's here

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None if there is none."""
        if cmd_name not in self.summaries:
            return None
        module = import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click has it, and a command that does not exist gets the nearest that does."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # here, since --help must not pay for it

            near = difflib.get_close_matches(args[0], self.summaries, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(error.message + hint, error.ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([*self.summaries.items()])


@click.group(
    cls=LazyGroup,
    package=__name__,
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done, 1 a check failed, 2 usage or unreadable input, 3 the "
    "environment lacks something, 130 interrupted.",
)
@click.version_option(__version__, prog_name="allocsim")
def cli() -> None:
    """Drive memory allocators with workloads and see where every byte went.

    Workloads are synthetic (random, repeat, run) or recorded from a real program (replay, trace).
    """


def main() -> None:
    """Run the command line and end the process with its exit status."""
    register_ascii_fallback()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ASCII_FALLBACK)
    try:
        status = _status()
        sys.stdout.flush()
    except BrokenPipeError:
        status = 141
    except OSError as error:
        status = _complain(_explained(error), 3)
    if status == 141 or status == 3:
        _drop(sys.stdout)
    try:
        sys.stderr.flush()
    except OSError:
        _drop(sys.stderr)
    sys.exit(status)


def _status() -> int:
    """Run the command line; its exit status."""
    try:
        result = cli.main(prog_name="allocsim", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        message = printable_lines(error.format_message())
        with contextlib.suppress(OSError):
            click.UsageError(message, error.ctx).show()
        return 2
    except click.ClickException as error:
        return _complain(error.format_message(), 2)
    except AllocsimError as error:
        return _complain(str(error), error.exit_status)
    except SystemExit:  # what click and rich make of a pipe that was closed
        return 141
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", 130)
    except MemoryError:
        return _complain("out of memory: the machine has no more for this run", 3)


def _complain(message: str, status: int) -> int:
    """Print an error on stderr, if that can be written; `status`."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"allocsim: error: {printable(message)}\n")
        sys.stderr.flush()
    return status


def _explained(error: OSError) -> str:
    """What an error of the system means that nobody below has explained."""
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "the current directory does not exist any more: change to one that does"
    if error.errno in OUTPUT_REFUSED:
        return f"cannot write the output: {error.strerror}"
    return f"the system refused: {error}"


def _drop(stream: TextIO) -> None:
    """Keep the interpreter from flushing what cannot be written as it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
