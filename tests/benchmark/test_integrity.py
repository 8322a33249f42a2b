"""A library that damages its objects fails the check, and the message names the damage."""

import dataclasses
from collections.abc import Callable

import pytest

from allocsim.benchmark.comparison import Conditions, measure
from allocsim.benchmark.event_file import EventFile
from allocsim.benchmark.integrity import LOST, MAX_BYTES, MAX_EVENTS, _length
from allocsim.benchmark.parent import SubjectFailed
from allocsim.core.jit import PURE
from allocsim.designs import SUMMARIES
from allocsim.driver import Touch
from allocsim.events import Op
from allocsim.libraries.find import PREFIX, default_libraries, find_library
from tests.compiled_libraries import Compiler
from tests.driving import Call, free, malloc, random_calls, realloc, stream, stream_of

CONDITIONS = Conditions(later=0.0)
ALL_KINDS = random_calls(4, 800, objects=40)


@pytest.fixture
def workload(event_file: Callable[..., EventFile]) -> EventFile:
    """Calls of malloc, calloc and memalign; half of the objects of malloc are freed."""
    calls = [malloc(number, 500 + number) for number in range(40)]
    calls[20:20] = [Call(Op.CALLOC, 60, 700)]
    calls += [free(number) for number in range(0, 40, 2)]
    return event_file(stream(*calls, Call(Op.MEMALIGN, 50, 100, alignment=8)))


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("same", r"^broken: returned 0x\w+ for two objects that are both in use"),
        ("overlap", r"^broken: two objects .* overlap: \d+ bytes at 0x\w+ and \d+ bytes at 0x"),
        ("misaligned", r"^broken: malloc of 500 bytes returned 0x\w+8, which is not aligned to 16"),
        ("misaligned-memalign", r"^broken: memalign of 100 bytes .* not aligned to 256 bytes"),
        ("scribble", r"^broken: the contents of \d+ bytes at 0x\w+ changed while in use"),
    ],
)
def test_broken_library_fails(
    odd_library: Compiler, workload: EventFile, way: str, message: str
) -> None:
    with pytest.raises(SubjectFailed, match=message):
        measure(f"lib:{odd_library(way, 10**9)}:odd_", "memory", workload, CONDITIONS)


@pytest.mark.parametrize("touch", [Touch.NONE, Touch.PAGE])
def test_correct_library_passes(odd_library: Compiler, workload: EventFile, touch: Touch) -> None:
    conditions = dataclasses.replace(CONDITIONS, touch=touch, limit=8 << 20)
    said = measure(f"lib:{odd_library('nothing')}:odd_", "memory", workload, conditions)
    assert said.about.flaw is None
    assert said.memory is not None


def test_realloc_that_loses_contents_is_a_flaw(
    odd_library: Compiler, event_file: Callable[..., EventFile]
) -> None:
    workload = event_file(stream(malloc(0, 100), malloc(1, 100), realloc(0, 200), free(1)))
    said = measure(f"lib:{odd_library('forget')}:odd_", "memory", workload, CONDITIONS)
    assert said.about.flaw == LOST


ALL = (*SUMMARIES, *(PREFIX + name for name in default_libraries()))
SUBJECTS = ("go2008", "lib:glibc") if PURE else ALL
"""In pure mode, a child process takes three seconds, and all libraries are called in one way."""


@pytest.mark.parametrize("subject", SUBJECTS)
def test_known_allocators_pass(event_file: Callable[..., EventFile], subject: str) -> None:
    if subject.startswith(PREFIX) and not find_library(subject.removeprefix(PREFIX)):
        pytest.skip(f"{subject} is not installed")
    said = measure(subject, "memory", event_file(stream_of(ALL_KINDS)), CONDITIONS)
    assert said.about.flaw is None


def test_check_is_bounded_in_events_and_bytes() -> None:
    events = stream_of(malloc(number, 0) for number in range(MAX_EVENTS + 5))
    assert _length(events) == MAX_EVENTS
    events.request = MAX_BYTES // 4
    assert _length(events) == 4
    assert _length(events[:0]) == 0
