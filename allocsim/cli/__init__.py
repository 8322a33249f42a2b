"""The command line: commands, errors and exit statuses.

Commands are separate modules that import only click at load time, which keeps --help fast. Apart
from the handler in `signals`, only this module prints errors and sets the exit status: 0 success,
1 check failed, 2 usage or bad input, 3 missing resource, 130 interrupted, 141 output closed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from errno import EAGAIN, EBADF, EDQUOT, EFBIG, EIO, EMFILE, ENOSPC
from importlib import import_module
from typing import Any, TextIO

import click

from allocsim import __version__
from allocsim.cli.help_format import Context
from allocsim.cli.output import ASCII_FALLBACK, log, register_ascii_fallback
from allocsim.errors import AllocsimError
from allocsim.numba_settings import guard_numba
from allocsim.numpy_import import guard_numpy
from allocsim.text import printable, printable_lines, with_short_names

COMMANDS = {
    "record": "Run PROGRAM and record its allocation calls as a trace.",
    "replay": "Replay a recorded trace.",
    "run": "Run a bundled job or a job file.",
    "random": "Allocate objects of random sizes in random slots, and free them.",
    "repeat": "Allocate and free the same sizes in every round.",
    "empirical": "Replay a steady state given as a table of sizes and rates.",
    "compare": "Compare designs and installed malloc libraries.",
    "sweep": "Measure a grid of allocators, settings and workloads, and find the best.",
    "explain": "Show which objects own the footprint, and what would change it.",
    "check": "Fail (exit 1) if a result exceeds a limit or a baseline.",
    "trace": "Show, check, convert, slice and sample traces.",
    "tune": "Find the best table of size classes for given workloads.",
    "sizeclass-check": "Check the size classes of a design and show their waste.",
    "list": "List designs, workloads, trace formats and malloc libraries.",
    "help": "Show a help page about a topic.",
}
"""One-line summaries of the commands. Command `a-b` is the function `command` of module `a_b`."""

COMPLETION = "_ALLOCSIM_COMPLETE"
"""The environment variable that a shell sets to request completions."""

COMPLETING = "`allocsim help completion` says how to set up completion"

OUTPUT_ERRORS = (EBADF, EDQUOT, EFBIG, EIO, ENOSPC)
"""The values of errno when output cannot be written."""

NO_MORE_PROCESSES = "no further process or thread can be started; raise the limit (ulimit -u)"


class LazyGroup(click.Group):
    """A group that imports the module of a command only when that command is used."""

    context_class = Context

    def __init__(self, *args: Any, package: str, summaries: dict[str, str], **kwargs: Any) -> None:
        """`summaries`: the one-line summary of each command. `package`: where the modules are."""
        super().__init__(*args, **kwargs)
        self.package, self.summaries = package, summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the help page."""
        # Not list(...): once the module allocsim.cli.list is imported, `list` means that module.
        return [*self.summaries]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if no command has that name."""
        if cmd_name not in self.summaries:
            return None
        module = import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        command.context_class = Context
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command as click does; for an unknown name, suggest a similar one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # imported here, because --help does not need it

            near = difflib.get_close_matches(args[0], self.summaries, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(error.message + hint, error.ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([*self.summaries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Return the commands that begin with `incomplete`, without importing them."""
        from click.shell_completion import CompletionItem

        names = [name for name in self.summaries if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self.summaries[name]) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    cls=LazyGroup,
    package=__name__,
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 success, 1 a check failed, 2 usage or bad input, 3 missing resource, "
    "130 interrupted. `allocsim help` lists pages about figures, sizes, formats and completion.",
)
@click.version_option(__version__, prog_name="allocsim")
def cli() -> None:
    """Replay workloads against memory allocators and report where the memory goes.

    A workload is a recorded trace or a job, which generates events from a few parameters. An
    allocator is a simulated design or a malloc library installed on this machine.
    """


def main() -> None:
    """Run the command line and end the process with its exit status."""
    register_ascii_fallback()
    _print_warnings()
    guard_numpy()
    guard_numba(lambda variable: log(f"allocsim: Numba cannot use {variable}; the default is used"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ASCII_FALLBACK)
    try:
        status = _status()
        sys.stdout.flush()
    except BrokenPipeError:
        status = 141
    except OSError as error:
        status = _fail(_explain(error), 3)
    if status == 141 or status == 3:
        # Standard output may be closed (status 141) or not writable (status 3). At exit, Python
        # would flush the rest of the output and report a second error, so the rest is discarded.
        _discard(sys.stdout)
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)
    if os.environ.get("PYTHONINSPECT"):  # Python would print SystemExit, and end with status 1
        os._exit(status)
    sys.exit(status)


def _print_warnings() -> None:
    """Print the warnings of libraries, even if PYTHONWARNINGS turns warnings into errors."""
    if any(option.startswith("e") for option in sys.warnoptions):
        import warnings  # this costs nothing: Python has already imported it

        warnings.simplefilter("default")


def _status() -> int:
    """Run the command line and return its exit status."""
    try:
        result = cli.main(prog_name="allocsim", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        with contextlib.suppress(OSError):
            error.show()  # the message of this error is the help page
        return 2
    except click.UsageError as error:
        message = with_short_names(printable_lines(_usage_message(error)))
        with contextlib.suppress(OSError):
            click.UsageError(message, error.ctx).show()
        return 2
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except AllocsimError as error:
        return _fail(str(error), error.exit_status)
    except SystemExit as stop:
        if COMPLETION not in os.environ:
            return 141  # click and rich turn a closed pipe into SystemExit
        # click ends a completion with SystemExit. Its code is 1 if click does not know the shell.
        return _fail(f"unusable {COMPLETION}; {COMPLETING}", 2) if stop.code else 0
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", 130)
    except MemoryError:
        return _fail("out of memory", 3)
    except Exception as error:
        if COMPLETION in os.environ:
            return _fail(f"unusable COMP_WORDS or COMP_CWORD; {COMPLETING}", 2)
        if (explained := _explain_design(error)) is not None:
            return _fail(explained, 2)
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            return _fail(NO_MORE_PROCESSES, 3)
        is_own = not isinstance(error, ImportError) or isinstance(error, ModuleNotFoundError)
        if is_own or (getattr(error, "name", None) or "").startswith("allocsim"):
            raise
        # A shared object of NumPy or Numba does not fit into the address space (ulimit -v).
        return _fail(f"cannot load a Python module: {str(error).strip().split(chr(10))[-1]}", 3)


def _usage_message(error: click.UsageError) -> str:
    """Return the message for a wrong command line, with a suggestion for an unknown option."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error.format_message()
    from allocsim.cli.suggestions import suggestion_for  # --help does not need it

    return f"{error.message} {suggestion_for(error.option_name, error.ctx)}".rstrip()


def _explain_design(error: Exception) -> str | None:
    """Return a message for an error in a user's design file, or None for any other error."""
    if "allocsim.designs.from_file" not in sys.modules:
        return None
    from allocsim.designs.explain import explain

    return explain(error)


def _fail(message: str, status: int) -> int:
    """Print an error, if standard error can be written, and return `status`."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"allocsim: error: {with_short_names(printable(message))}\n")
        sys.stderr.flush()
    return status


def _explain(error: OSError) -> str:
    """Return the message for an OSError that no module has turned into an AllocsimError."""
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "the current directory no longer exists; change to another one"
    # An error has this attribute only if it is about writing to a non-blocking pipe that is full.
    is_output = hasattr(error, "characters_written")
    if error.errno == EAGAIN and not is_output:
        return NO_MORE_PROCESSES
    if error.errno == EMFILE:
        return "too many open files; raise the limit (ulimit -n)"
    if is_output or error.errno in OUTPUT_ERRORS:
        return f"cannot write the output: {error.strerror}"
    return f"system error: {error}"


def _discard(stream: TextIO) -> None:
    """Discard the buffered output of a stream, so that the flush at exit does not fail."""
    with contextlib.suppress(OSError):  # open fails without a free descriptor (ulimit -n)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
