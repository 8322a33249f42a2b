"""The page of a replay."""

from collections.abc import Callable
from dataclasses import replace

from allocsim.pictures.page import Page
from allocsim.pictures.run_page import POINTS, footprint_parts, points_of, run_page
from allocsim.text import format_bytes
from tests.pictures.harmless import require_harmless
from tests.pictures.pages import HOSTILE
from tests.reports.results import empty_result, small_result


def test_parts_of_a_picture_sum_to_the_footprint() -> None:
    profile = small_result().profile
    for moment in (profile.at_peak, profile.at_end):
        assert sum(footprint_parts(moment.parts, moment.metadata).values()) == moment.footprint
    points = points_of(profile, profile.at_end)
    assert len(points) <= POINTS + 2
    footprints = {int(each["event"]): int(each["footprint"]) for each in profile.samples}
    footprints[profile.at_peak.event] = profile.at_peak.footprint
    assert all(point.footprint == footprints[point.event] for point in points)
    assert max(point.footprint for point in points) == profile.at_peak.footprint


def test_hostile_names_are_text(undrawn: Callable[[Page], str]) -> None:
    result = small_result()
    trace = replace(result.trace, name=HOSTILE, notes=[HOSTILE], dropped={HOSTILE: 3})
    html = undrawn(run_page(replace(result, trace=trace, design=HOSTILE, command=HOSTILE)))
    require_harmless(html)
    assert "&lt;script&gt;" in html
    assert format_bytes(result.profile.at_peak.footprint) in html


def test_a_run_without_events_has_a_page(undrawn: Callable[[Page], str]) -> None:
    page = run_page(empty_result())
    require_harmless(undrawn(page))
    assert "nothing was ever live" in page.lead
