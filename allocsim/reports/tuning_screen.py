"""The result of `allocsim tune` on the screen: the figures, the table and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from allocsim.reports.screen import Screen, Table, simple_table, styled
from allocsim.text import counted, format_bytes
from allocsim.tuning.tuning import Row, Tuning
from allocsim.tuning.verdict import objections, remarks

FIGURES = (
    *("in spans", "new", "change", "footprint", "new", "predicted", "rounding+tail"),
    "free objects",
)
"""The titles of a workload's figures. A narrow screen omits the rightmost columns."""

CLASSES = ("bytes", "span pages", "objects", "batch", "live objects", "current classes")
"""The titles of a class's figures."""


def print_tuning(tuning: Tuning) -> None:
    """Print the figures, the table and the verdict."""
    screen = Screen()
    screen.print(styled(headline(tuning), "bold"))
    screen.print_table(_figures_table(tuning), 4)
    screen.print_table(_classes_table(tuning), 2)
    screen.print(*(styled(sentence) for sentence in remarks(tuning)))
    against = objections(tuning)
    if not against:
        screen.print(styled("Recommended for this program.", "bold"))
    else:
        screen.print(styled("Not recommended:", "bold"), *(styled(f"  {why}") for why in against))


def headline(tuning: Tuning) -> str:
    """Return the design, the number of its classes, and the workloads."""
    question = tuning.question
    return (
        f"{question.design_name}: {counted(len(tuning.table), 'size class')} instead of "
        f"{len(question.own_table)}, for {', '.join(row.name for row in tuning.rows)}"
    )


def figure_rows(tuning: Tuning) -> Iterator[list[str]]:
    """Yield the name of each workload, and its figures under the current and the new table."""
    kinds = (
        ("", tuning.rows),
        (" (held back)", tuning.held_back),
        (" (left out)", tuning.left_out),
    )
    for kind, rows in kinds:
        for row in rows:
            yield _cells(row, kind)


def class_rows(tuning: Tuning) -> Iterator[list[str]]:
    """Yield the figures of each new class, and the current classes that it replaces."""
    question, before = tuning.question, 0
    for size, weight in zip(tuning.table, tuning.weights, strict=True):
        span = question.rules.span_of(size, question.parameters)
        yield [
            f"{size:,}",
            str(span.pages),
            f"{span.objects:,}",
            str(span.batch),
            f"{weight:,.0f}",
            _replaced(question.own_table, before, size),
        ]
        before = size


def _figures_table(tuning: Tuning) -> Table:
    """Return the table of workloads: bytes in spans and footprint, now and under the new table."""
    table = simple_table()
    table.add_column("", no_wrap=True)
    for title in FIGURES:
        table.add_column(title, justify="right", no_wrap=True)
    for cells in figure_rows(tuning):
        table.add_row(*cells)
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
    """Return the change of the sum of `parts` at the peak of the live bytes, as text."""
    change = sum(row.new.parts[part] - row.now.parts[part] for part in parts)
    return f"{'+' if change >= 0 else '-'}{format_bytes(abs(change))}"


def _classes_table(tuning: Tuning) -> Table:
    """Return the table of the new classes."""
    table = simple_table()
    for title in CLASSES[:-1]:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column(CLASSES[-1], no_wrap=True)
    for cells in class_rows(tuning):
        table.add_row(*cells)
    return table


def _replaced(own: Sequence[int], before: int, size: int) -> str:
    """Return the current classes for requests of `before` + 1 to `size` bytes."""
    inside = [each for each in own if before < each < size]
    first_above = [each for each in own if each >= size][:1]
    replaced = [*inside, *first_above]
    sizes = [f"{each:,}" for each in replaced]
    return (
        ", ".join(sizes) if len(sizes) <= 4 else f"{sizes[0]} to {sizes[-1]} ({len(sizes)} classes)"
    )
