"""Capabilities of recorders: their text, their order, and the capabilities that a trace shows."""

from allocsim.capabilities import OF_FORMATS, Capabilities
from allocsim.events import Trace
from allocsim.reports.trace_warnings import (
    NO_ALIGNED_CALLS,
    NO_REALLOCS,
    NO_THREAD_ENDS,
    NO_THREADS,
    trace_warnings,
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
    assert trace_warnings(trace(Capabilities(), 9)) == []


def test_caution_names_what_is_missing_and_matters() -> None:
    assert trace_warnings(trace(ALL, 9)) == []
    assert trace_warnings(trace(SOME)) == [NO_ALIGNED_CALLS]
    assert trace_warnings(trace(SOME, 9)) == [NO_THREAD_ENDS, NO_ALIGNED_CALLS]
    least = Capabilities("no", "no", "no", "yes")
    assert trace_warnings(trace(least)) == [NO_THREADS, NO_REALLOCS]


def test_loss_is_a_caution() -> None:
    it = trace(ALL)
    it.losses.append("the disk was full")
    assert trace_warnings(it) == ["the recording is incomplete: the disk was full"]


def test_formats_of_the_table_exist() -> None:
    assert set(OF_FORMATS) <= {form.name for form in FORMATS}
