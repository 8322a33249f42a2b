"""The pages in docs/ name every field of the JSON objects."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from allocsim import Heap
from allocsim.call_sites.table import table_of_addresses
from allocsim.designs import find_design
from allocsim.player import Options, replay_trace
from allocsim.reports import Result
from allocsim.reports.run_text import json_text
from allocsim.reports.size_classes import classes_json, no_classes_json
from allocsim.reports.sweep_text import sweep_json
from allocsim.reports.trace_info import survey_text
from allocsim.sweep.results import collect
from allocsim.trace_history import collect_history
from tests.call_sites.stacks import FRAMES, with_sites
from tests.conftest import REPOSITORY, RESERVE
from tests.driving import free, malloc
from tests.reports.documented import section, undocumented
from tests.sweep.cells import row, rows_of_all_kinds
from tests.test_program_run import program_run
from tests.traces.streams import trace_of

PAGES = {
    name: (REPOSITORY / "docs" / f"{name}.md").read_text("utf-8")
    for name in ("comparison-schema", "report-schemas", "sweep-rows")
}


def replay() -> str:
    """The object of a replay with a moment that the user chose."""
    trace = trace_of([malloc(0, 100), free(0)])
    with Heap("tcmalloc", reserve=RESERVE) as heap:
        profile = replay_trace(heap, trace, Options())
    profile = replace(profile, at_moment=profile.at_peak)
    return json_text(Result(trace, profile, "tcmalloc", {}, ""))


def trace_info() -> str:
    """The object of a trace with call sites."""
    table = table_of_addresses([0, 0], [0, 1], [[FRAMES[1]], [FRAMES[0]]])
    trace = with_sites([malloc(0, 100), malloc(1, 50), free(0)], table, [1, 1])
    stats, history = collect_history(trace)
    assert history.sites
    return survey_text(trace, stats, "", history)


def size_classes() -> str:
    """The objects of a design with size classes, and of one without, in a list."""
    design = find_design("tcmalloc")
    table = design.table(design.checked({}))
    return f"[{classes_json('tcmalloc', table)}, {no_classes_json(find_design('glibc'))}]"


def sweep() -> str:
    """The object of a sweep in which a setting has an effect."""
    settings = [row(f"glibc:mxfast={value}", 100 + value) for value in (0, 64)]
    return sweep_json(collect([*rows_of_all_kinds(), *settings]), "")


@pytest.mark.parametrize(
    ("made", "page"),
    [
        (replay, "report-schemas"),
        (trace_info, "report-schemas"),
        (size_classes, "report-schemas"),
        (sweep, "sweep-rows"),
    ],
)
def test_section_of_the_schema_names_every_field(made: Any, page: str) -> None:
    found = json.loads(made())
    assert undocumented(found, PAGES[page]) == set()
    for each in found if isinstance(found, list) else [found]:
        assert section(PAGES[page], f"`{each['schema']}`")


def test_page_on_compare_names_every_field_of_a_run() -> None:
    run = msgspec.to_builtins(program_run())
    assert undocumented(run, section(PAGES["comparison-schema"], "A run of the program")) == set()


def test_field_that_a_page_does_not_name_is_found_at_any_depth() -> None:
    found = {"known": [{"inner": {"deep": 1}}], "counters": {"any": 1}}
    assert undocumented(found, "`known`, inner and `counters`") == {"inner", "deep"}


def test_field_that_another_section_names_is_found() -> None:
    page = "\n## `a/1`: one\n`schema`, `inner`\n## `b/1`\n`schema`, `other`\n"
    found = {"schema": "a/1", "other": 1, "inner": {"schema": "b/1", "inner": 1, "other": 1}}
    assert undocumented(found, page) == {"other", "inner"}
