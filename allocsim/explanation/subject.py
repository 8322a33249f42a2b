"""The allocator that `explain` replays on: a design, or a library in child processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from allocsim.benchmark.comparison import Conditions
from allocsim.benchmark.subject import library_of, require_subject
from allocsim.core import compile_notice
from allocsim.events import Trace
from allocsim.explanation.on_design import OnDesign
from allocsim.explanation.on_library import OnLibrary
from allocsim.workloads import expect_kernels

Subject: TypeAlias = OnDesign | OnLibrary


def default_subject(trace: Trace) -> str:
    """Return the name of the allocator that the program used, as far as the recording shows it.

    A trace of Go's runtime was made under Go's allocator. Most other programs use glibc's.
    """
    described = [trace.description, trace.description.get("source")]
    formats = [each.get("format") for each in described if isinstance(each, dict)]
    return "go" if "go-trace" in formats else "lib:glibc"


def subject_called(name: str, open_trace: Callable[[], Trace], conditions: Conditions) -> Subject:
    """Return the subject that `compare --on` knows by this name.

    Raises InputError if the name is unknown.
    """
    require_subject(name)
    expect_kernels(None, [name])
    compile_notice.expect("allocsim.explanation")
    if library_of(name) is not None:
        return OnLibrary(name, open_trace, conditions)
    return OnDesign(name, open_trace, conditions)
