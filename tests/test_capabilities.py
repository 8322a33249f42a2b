"""Capabilities of recorders: their text, their order, and what a trace's user is told of them."""

from allocsim.capabilities import OF_FORMATS, Capabilities
from allocsim.events import Trace
from allocsim.reports.cautions import (
    NO_ALIGNED_CALLS,
    NO_REALLOCS,
    NO_THREAD_ENDS,
    NO_THREADS,
    cautions_of,
)
from allocsim.traces.readers import FORMATS

ALL = Capabilities("yes", "yes", "yes", "yes")
SOME = Capabilities("yes", "no", "yes", "partly")


def trace(capabilities: Capabilities, threads: int = 1) -> Trace:
    claims = {"claims": {"threads": threads}}
    return Trace("it", iter(()), claims, capabilities=capabilities)


def test_text_names_every_aspect() -> None:
    assert SOME.text == "threads yes, thread ends no, reallocs yes, aligned calls partly"
    assert SOME.lacking == "thread ends; aligned calls partly"
    assert ALL.lacking == ""


def test_recorder_covers_another_that_sees_no_more() -> None:
    assert ALL.covers(SOME)
    assert not SOME.covers(ALL)
    assert SOME.covers(SOME)


def test_capabilities_of_old_files_are_unknown() -> None:
    assert not Capabilities().is_known
    assert cautions_of(trace(Capabilities(), 9)) == []


def test_caution_names_what_is_missing_and_matters() -> None:
    assert cautions_of(trace(ALL, 9)) == []
    assert cautions_of(trace(SOME)) == [NO_ALIGNED_CALLS]
    assert cautions_of(trace(SOME, 9)) == [NO_THREAD_ENDS, NO_ALIGNED_CALLS]
    least = Capabilities("no", "no", "no", "yes")
    assert cautions_of(trace(least)) == [NO_THREADS, NO_REALLOCS]


def test_loss_is_a_caution() -> None:
    it = trace(ALL)
    it.losses.append("the disk was full")
    assert cautions_of(it) == ["the recording is incomplete: the disk was full"]


def test_formats_of_the_table_exist() -> None:
    assert set(OF_FORMATS) <= {form.name for form in FORMATS}
