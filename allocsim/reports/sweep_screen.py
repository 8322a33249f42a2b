"""The findings of a sweep on the screen: tables, the Pareto front and the effects of settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from allocsim.reports.screen import Screen, Table, simple_table, styled
from allocsim.reports.sweep_charts import front_chart, heat_map
from allocsim.reports.sweep_phrases import (
    FIGURES,
    Best,
    best_on,
    best_overall,
    best_value,
    cautions,
    effect_size,
    headline,
    remarks,
)
from allocsim.sweep.findings import Overall, alike, effects, overall, ranking
from allocsim.sweep.pareto_front import front
from allocsim.sweep.results import Column, Figures, Results
from allocsim.text import counted, format_bytes


def print_sweep(results: Results, top: int) -> None:
    """Print the findings, with at most `top` subjects in each table."""
    screen = Screen()
    screen.print(styled(headline(results), "bold"))
    for column in results.columns:
        _print_column(screen, results, column, top)
    if len(results.columns) > 1:
        _print_overall(screen, results, top)
    _print_effects(screen, results)
    heat_map(screen, results)
    _print_best(screen, best_overall(results))
    for remark in remarks(results):
        screen.print(styled(remark, "dim"))
    for caution in cautions(results):
        screen.print(styled(f"warning: {caution}", "yellow"))


def _print_column(screen: Screen, results: Results, column: Column, top: int) -> None:
    """Print the subjects of a workload, and the chart of its Pareto front."""
    peaks, times = column.peaks, column.times
    live = f", peak live {format_bytes(column.peak_live)}" if peaks else ""
    screen.print(styled(f"{column.label}: {counted(column.events, 'event')}{live}", "bold"))
    best = front(peaks, times, column.time_ranges)
    names = ranking(peaks, results.setting_counts)
    groups = [(n, 0) for n in names] if times else alike(results, [(n, peaks[n]) for n in names])
    table = _subject_table("peak", "x live", "rel.", *(("ns/event", "front") if times else ()))
    for name, others in groups[:top]:
        cells = _cells(column, peaks, peaks[names[0]], name)
        if times:
            cells += [f"{times[name]:.1f}" if name in times else "-", "*" if name in best else ""]
        style = "bold green" if name == names[0] else ""
        table.add_row(_with_others(name, others), *cells, style=style)
    if groups:
        screen.print_table(table, 3)
    _print_rest(screen, groups[top:])
    for name, failure in list(column.failures.items())[:top]:
        screen.print(styled(f"{name}: {failure}", "red"))
    front_chart(screen, column, best)
    if len(results.columns) > 1:
        _print_best(screen, best_on(results, column))


def _subject_table(*titles: str) -> Table:
    """Return an empty table with a column for the subject and one for each figure."""
    table = simple_table()
    table.add_column("subject", no_wrap=True)
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _with_others(name: str, others: int) -> str:
    """Return the name of a subject, and the number of others with the same figure."""
    return f"{name} and {counted(others, 'other')}" if others else name


def _print_rest(screen: Screen, groups: Sequence[tuple[str, int]]) -> None:
    """Print how many subjects a table does not show."""
    if groups:
        more = counted(sum(1 + others for _, others in groups), "subject")
        screen.print(styled(f"not shown: {more} (--top)", "dim"))


def _cells(column: Column, peaks: Figures, lowest: float, name: str) -> list[str]:
    """Return the figures of a subject's footprint."""
    live = f"{peaks[name] / column.peak_live:.2f}" if column.peak_live else "-"
    return [format_bytes(peaks[name]), live, f"{peaks[name] / lowest:.3f}"]


def _print_overall(screen: Screen, results: Results, top: int) -> None:
    """Print how the subjects compare over all workloads, in footprint and in time."""
    for figure, title in FIGURES.items():
        entries = {entry.subject: entry for entry in overall(results, figure)}
        if not entries:
            continue
        screen.print(
            styled(f"{title} over all workloads, relative to the best subject on each", "bold")
        )
        table = _subject_table("mean", "best", "worst", "worst on")
        groups = alike(results, [(name, entry.mean) for name, entry in entries.items()])
        for name, others in groups[:top]:
            entry = entries[name]
            table.add_row(_with_others(name, others), *_ratios(entry), entry.worst_on)
        screen.print_table(table, 2)
        _print_rest(screen, groups[top:])


def _ratios(entry: Overall) -> list[str]:
    """Return the mean, the best and the worst ratio of a subject."""
    return [f"{value:.3f}" for value in (entry.mean, entry.best, entry.worst)]


def _print_effects(screen: Screen, results: Results) -> None:
    """Print the effect of each setting on the peak footprint and on the time."""
    for figure, title in FIGURES.items():
        all_effects = effects(results, figure)
        if not all_effects:
            continue
        screen.print(styled(f"effect of each setting on the {title}", "bold"))
        table = simple_table()
        for name in ("allocator", "setting", "effect", "best", "values, relative to their mean"):
            table.add_column(name, justify="right" if name == "effect" else "left", no_wrap=True)
        for effect in all_effects:
            about = (effect.allocator, effect.key, effect_size(effect), best_value(effect))
            table.add_row(*about, _levels(effect.levels))
        screen.print_table(table, 3)


def _levels(levels: Mapping[str, float]) -> str:
    """Return the values of a setting with their means: all, or the first 2 and the last 2."""
    texts = [f"{value} {mean - 1:+.1%}" for value, mean in levels.items()]
    return ", ".join(texts if len(texts) <= 5 else [*texts[:2], "...", *texts[-2:]])


def _print_best(screen: Screen, best: Iterable[Best]) -> None:
    """Print the best subjects, each with the environment variables that set its settings."""
    for each in best:
        screen.print(styled(each.sentence, "bold green"))
        if each.line:
            screen.print(f"  {each.line}")
