"""The result of `allocsim tune` on the screen: the figures, the table and the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.reports.screen import Screen, Table, simple_table, styled
from allocsim.text import format_bytes
from allocsim.tuning.tuning import Row, Tuning
from allocsim.tuning.verdict import objections, remarks


def print_tuning(tuning: Tuning) -> None:
    """Print the figures, the table and the verdict."""
    screen, question = Screen(), tuning.question
    screen.print(
        styled(
            f"{question.design_name}: {len(tuning.table)} size classes instead of "
            f"{len(question.own)}, for {', '.join(row.name for row in tuning.rows)}",
            "bold",
        )
    )
    screen.print_table(_figures_table(tuning), 4)
    screen.print_table(_classes_table(tuning), 2)
    screen.print(*(styled(sentence) for sentence in remarks(tuning)))
    against = objections(tuning)
    if not against:
        screen.print(styled("Recommended for this program.", "bold"))
    else:
        screen.print(styled("Not recommended:", "bold"), *(styled(f"  {why}") for why in against))


def _figures_table(tuning: Tuning) -> Table:
    """Return the table of workloads: bytes in spans and footprint under both tables."""
    table = simple_table()
    table.add_column("", no_wrap=True)
    titles = ("in spans", "new", "change", "footprint", "new")
    # A narrow screen omits the rightmost columns.
    for title in (*titles, "predicted", "rounding+tail", "free objects"):
        table.add_column(title, justify="right", no_wrap=True)
    kinds = (
        ("", tuning.rows),
        (" (held back)", tuning.held_back),
        (" (left out)", tuning.left_out),
    )
    for kind, rows in kinds:
        for row in rows:
            table.add_row(*_cells(row, kind))
    return table


def _cells(row: Row, kind: str) -> list[str]:
    """Return the cells of a workload."""
    predicted = "" if row.predicted is None else f"{row.predicted / row.now.in_spans:+.1%}"
    return [
        row.name + kind,
        format_bytes(row.now.in_spans),
        format_bytes(row.new.in_spans),
        f"{row.change:+.1%}",
        format_bytes(row.now.footprint),
        format_bytes(row.new.footprint),
        predicted,
        _change(row, ("rounding", "tail")),
        _change(row, ("thread_cache", "transfer", "central")),
    ]


def _change(row: Row, parts: Sequence[str]) -> str:
    """Return the change of the sum of `parts` at peak live."""
    change = sum(row.new.parts[part] - row.now.parts[part] for part in parts)
    return f"{'+' if change >= 0 else '-'}{format_bytes(abs(change))}"


def _classes_table(tuning: Tuning) -> Table:
    """Return the table of the new classes, each with the current classes that it replaces."""
    table = simple_table()
    titles = ("bytes", "span pages", "objects", "batch", "live objects")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("current classes", no_wrap=True)
    question, before = tuning.question, 0
    for size, weight in zip(tuning.table, tuning.weights, strict=True):
        span = question.rules.span_of(size, question.parameters)
        table.add_row(
            f"{size:,}",
            str(span.pages),
            f"{span.objects:,}",
            str(span.batch),
            f"{weight:,.0f}",
            _replaced(question.own, before, size),
        )
        before = size
    return table


def _replaced(own: Sequence[int], before: int, size: int) -> str:
    """Return the current classes for requests of `before` + 1 to `size` bytes."""
    inside = [each for each in own if before < each < size]
    first_above = [each for each in own if each >= size][:1]
    replaced = [*inside, *first_above]
    shown = [f"{each:,}" for each in replaced]
    return ", ".join(shown) if len(shown) <= 4 else f"{shown[0]} to {shown[-1]} ({len(shown)})"
