"""The HTML page with the results of a sweep."""

from __future__ import annotations

from collections.abc import Iterator

from allocsim import __version__
from allocsim.markup import Markup
from allocsim.pictures.bars import Bar, bars
from allocsim.pictures.figure import Figure
from allocsim.pictures.front import Axis, front_figure
from allocsim.pictures.page import Page, Section, facts, listed, table, warnings
from allocsim.pictures.setting_map import setting_map
from allocsim.pictures.units import Unit, unit_for
from allocsim.reports.sweep_phrases import (
    FIGURES,
    best_on,
    best_overall,
    best_value,
    cautions,
    effect_size,
    headline,
    remarks,
)
from allocsim.sweep.findings import (
    PEAKS,
    TIMES,
    effects,
    overall,
    overall_ranges,
    ranking,
)
from allocsim.sweep.results import Column, Figures, Results
from allocsim.sweep.setting_maps import setting_maps
from allocsim.text import counted, format_bytes

FRONTS = 6
"""Maximum number of workloads whose Pareto fronts are drawn."""

EFFECTS = 12
"""Maximum number of settings in a picture."""

FAILURES = 10
"""Maximum number of failures that are listed."""

MIN_DRAWN = 0.05
"""Percentage below which a bar would be too short to see."""


def sweep_page(results: Results, file: str, command: str) -> Page:
    """Return the page: the best subjects, pictures, the tables, and the method of measurement."""
    sections = [_answer(results), _fronts(results), _settings(results), _tables(results)]
    return Page(
        title=f"{file}: settings of allocators",
        lead=headline(results),
        sections=[*(each for each in sections if each.content), _how(results, file, command)],
    )


def _answer(results: Results) -> Section:
    """Return the best subjects, each with its environment variables, and the failures."""
    best = best_overall(results)
    if len(results.columns) > 1:
        best += [each for column in results.columns for each in best_on(results, column)]
    sentences = [
        each.sentence + (f". Run it with {each.line}" if each.line else "") for each in best
    ]
    failed = [
        f"{name} on {column.label}: {failure}"
        for column in results.columns
        for name, failure in column.failures.items()
    ]
    rest = len(failed) - FAILURES
    more = [f"{counted(rest, 'more cell')} failed"] if rest > 0 else []
    warned = [*cautions(results), *failed[:FAILURES], *more]
    return Section("answer", "Answer", [listed(sentences), warnings(warned)])


def _fronts(results: Results) -> Section:
    """Return the Pareto front over all workloads, and the fronts of the first FRONTS workloads."""
    content: list[Markup | Figure] = [*_front_overall(results)] if len(results.columns) > 1 else []
    for column in results.columns[:FRONTS]:
        content += _front_on(column)
    left_out = len(results.columns) - FRONTS
    if left_out > 0:
        content.append(listed([f"not drawn: {counted(left_out, 'more workload')}"]))
    return Section("front", "The Pareto front", content)


def _front_overall(results: Results) -> Iterator[Figure]:
    """Yield the front of mean time and mean peak footprint over all workloads.

    Both are ratios to the best subject of each workload. Yields nothing if no times were measured.
    """
    peaks, times = (
        {entry.subject: entry.mean for entry in overall(results, figure)}
        for figure in (PEAKS, TIMES)
    )
    if peaks.keys() & times.keys():
        across = _ratios("mean time", times)._replace(ranges=overall_ranges(results))
        yield front_figure("Over all workloads", across, _ratios("mean peak footprint", peaks))


def _front_on(column: Column) -> Iterator[Figure]:
    """Yield the front of a workload: the peak footprint against the time.

    If no times were measured, the mean footprint takes the place of the time. If any subject has no
    mean footprint, the footprint at the end is used for all subjects.
    """
    if column.times:
        text = "{:.1f} ns/event".format
        across = Axis("CPU time", column.times, Unit("ns/event", 1), text, column.time_ranges)
    elif column.peaks and column.means.keys() >= column.peaks.keys():
        across = _bytes("mean footprint", column.means)
    else:
        across = _bytes("footprint at the end", column.ends)
    if column.peaks.keys() & across.figures.keys():
        yield front_figure(column.label, across, _bytes("peak footprint", column.peaks))


def _ratios(title: str, figures: Figures) -> Axis:
    """Return the axis of ratios to the best subject of each workload."""
    return Axis(title, figures, Unit("relative to the best", 1), "{:.3f}".format)


def _bytes(title: str, figures: Figures) -> Axis:
    """Return the axis of bytes."""
    unit = unit_for(int(max(figures.values(), default=0)))
    return Axis(title, figures, unit, lambda count: format_bytes(int(count)))


def _settings(results: Results) -> Section:
    """Return the effects of the settings, and maps of the footprint by two settings."""
    content: list[Markup | Figure] = [
        figure for name in FIGURES for figure in _effects(results, name)
    ]
    content += [setting_map(each) for each in setting_maps(results) if each.max_ratio > 1]
    return Section("settings", "Settings", content)


def _effects(results: Results, figure: str) -> Iterator[Figure]:
    """Yield the picture of the settings' effects on `figure`, a key of FIGURES.

    Yields nothing if every effect is below MIN_DRAWN.
    """
    shown_effects = effects(results, figure)
    rows = [
        Bar(
            f"{each.allocator} {each.key}",
            f"{effect_size(each)}, best {best_value(each)}",
            {"footprint": 100 * each.size},
        )
        for each in shown_effects[:EFFECTS]
        if 100 * each.size >= MIN_DRAWN
    ]
    if rows:
        yield Figure(
            title=f"Effect of each setting on the {FIGURES[figure]}",
            summary=f"Each bar shows how much larger the mean {FIGURES[figure]} is with the worst "
            "value of a setting than with the best value. The mean is over all workloads and all "
            "combinations of the other settings.",
            view=lambda width: bars(rows, width, unit=Unit("%", 1)),
            titles=("allocator", "setting", "value", "relative to the mean"),
            rows=[
                [each.allocator, each.key, value, f"{mean - 1:+.1%}"]
                for each in shown_effects
                for value, mean in each.levels.items()
            ],
            left=(0, 1, 2),
        )


def _tables(results: Results) -> Section:
    """Return the figures of each workload, the best footprint first."""
    return Section("table", "All figures", [_table(results, each) for each in results.columns])


def _table(results: Results, column: Column) -> Markup:
    """Return the figures of a workload."""
    names = ranking(column.peaks, results.setting_counts)
    names += [name for name in column.times if name not in column.peaks]
    rows = [[name, *_cells(column, name)] for name in names]
    return table(column.label, ("allocator", "peak", "mean", "at the end", "ns/event"), rows, (0,))


def _cells(column: Column, name: str) -> list[str]:
    """Return the figures of a subject on a workload."""
    result = column.results[name]
    sizes = ["-" if each is None else format_bytes(each) for each in result.sizes]
    return [*sizes, "-" if result.ns is None else f"{result.ns:.1f}"]


def _how(results: Results, file: str, command: str) -> Section:
    """Return how the figures were measured."""
    workloads = [f"{each.label}, {counted(each.events, 'event')}" for each in results.columns]
    named = [
        ("command", command),
        ("version", f"allocsim {__version__}"),
        ("rows", file),
        ("workloads", "; ".join(workloads)),
    ]
    return Section("how", "How it was measured", [facts(named), listed([*remarks(results)])])
