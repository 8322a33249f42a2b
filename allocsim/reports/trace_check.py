"""Whether a trace is sound, on the screen: what is wrong with it, and what its import left out.

Beside `screen`, whose console it prints on. Its one rule: each reason is explained where it is
counted.
"""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from allocsim.events import Trace
from allocsim.reports.phrases import percent
from allocsim.reports.run_screen import screen
from allocsim.text import counted
from allocsim.trace_stats import Survey

EXPLANATIONS = {
    "failed call": "it returned NULL: nothing happened",
    "free of NULL": "does nothing, as the C standard has it",
    "free of unknown": "of what was allocated before the recording began, or unseen by it",
    "realloc of unknown": "of what was allocated before or unseen: taken as a malloc",
    "overlap": "malloc gave what was live: the free was lost, and one was put before it",
    "impossible size": "beyond any heap: a failed call, or damage",
    "other process": "of another process of the recording: one process has one heap",
}
"""What each reason for a drop means."""


def print_soundness(trace: Trace, seen: Survey, problems: list[str]) -> None:
    """Print the verdict, then what was left out and why."""
    console = screen()
    if problems:
        console.print(Text(f"{trace.name} is not sound:", style="bold red"))
        for problem in problems:
            console.print(Text(f"  {problem}"))
    else:
        events = f"{counted(seen.events, 'event')} of {counted(seen.threads, 'thread')}"
        verdict = f"{trace.name} is sound: {events}"
        if not seen.events:
            verdict = f"{trace.name} holds no event"
        console.print(Text(verdict, style="bold green" if seen.events else "bold red"))
    if trace.dropped:
        console.print(_dropped_table(trace, seen))
    else:
        console.print(Text("nothing was left out"))


def _dropped_table(trace: Trace, seen: Survey) -> Table:
    """What was left out or mended, and why."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("left out", no_wrap=True)
    table.add_column("calls", justify="right")
    table.add_column("for 100 events", justify="right")
    table.add_column("why")
    for reason, count in trace.dropped.items():
        share = percent(count, seen.events).removesuffix(" %")
        table.add_row(reason, f"{count:,}", share, EXPLANATIONS.get(reason, ""))
    return table
