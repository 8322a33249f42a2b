"""Explanations of workloads with several threads, replayed on these threads or on one."""

import pytest

from allocsim.benchmark.comparison import Conditions
from allocsim.core.jit import PURE
from allocsim.driver import Touch
from allocsim.errors import EnvironmentLacks
from allocsim.events import Trace
from allocsim.explanation.explanation import Explanation, explain
from allocsim.explanation.question import Question
from allocsim.explanation.subject import subject_called
from allocsim.explanation.threads import Threads
from tests.driving import Call, free, malloc, stream_of
from tests.playing import trace_of

COUNT = 20
"""Number of objects that each thread allocates. The thread then frees every second one."""

THREADS = 3


def opened() -> Trace:
    """Open a workload in which each thread frees half of its objects, so that caches fill."""
    calls = list[Call]()
    for thread in range(THREADS):
        numbers = range(COUNT * thread, COUNT * (thread + 1))
        calls += [malloc(number, 1000, thread) for number in numbers]
        calls += [free(number, thread) for number in numbers[::2]]
    return trace_of(stream_of(calls))


def explained(subject: str, recorded: bool, seconds: float = 0) -> Explanation:
    """Return the explanation of the heap at the end of the workload."""
    conditions = Conditions(touch=Touch.FIRST, recorded=recorded, timeout=120)
    question = Question("end", ("thread",), seconds=seconds)
    return explain(subject_called(subject, opened, conditions), question)[0]


@pytest.mark.parametrize(("recorded", "caches"), [(True, THREADS), (False, 1)])
def test_design_has_a_cache_for_each_recorded_thread(recorded: bool, caches: int) -> None:
    """go2008 gives a thread 1,024 objects of a class at once, and never takes them back."""
    found = explained("go2008", recorded)
    assert found.threads == Threads(THREADS, recorded)
    held = found.parts["live"] + found.parts["rounding"] + found.parts["pinned"]
    assert held == caches * 1024 * 1024


@pytest.mark.slow
@pytest.mark.skipif(PURE, reason="threads are replayed by compiled code only")
def test_library_serves_each_recorded_thread_from_its_own_memory() -> None:
    """In glibc, each thread has an arena, whose pages no other thread shares."""
    found = explained("lib:glibc", True, seconds=1e6)
    assert found.threads == Threads(THREADS, True)
    assert [owner.objects for owner in found.owners] == [COUNT // 2] * THREADS
    assert all(owner.live == 1000 * COUNT // 2 for owner in found.owners)
    assert all(owner.only == owner.some for owner in found.owners)
    kinds = {each.kind for each in found.what_ifs}
    assert {"release", "freed", "never", "own heap", "setting"} <= kinds
    assert not [text for text in found.cautions if "failed" in text or "sum to" in text]


@pytest.mark.slow
def test_library_serves_all_threads_as_one_on_request() -> None:
    found = explained("lib:glibc", False)
    assert found.threads == Threads(THREADS, False)
    assert any(owner.only < owner.some for owner in found.owners)
    assert any("were replayed on one" in text for text in found.cautions)


@pytest.mark.slow
@pytest.mark.skipif(not PURE, reason="compiled code replays threads")
def test_pure_code_cannot_replay_threads_on_a_library() -> None:
    with pytest.raises(EnvironmentLacks, match="only compiled code can replay recorded threads"):
        explained("lib:glibc", True)


@pytest.mark.parametrize(
    ("threads", "said"),
    [
        (Threads(1, True), ""),
        (Threads(3, True), "Replayed on the 3 recorded threads."),
        (Threads(1200, False), "The 1,200 threads of the workload were replayed on one."),
    ],
)
def test_sentence_says_on_which_threads_the_replay_was(threads: Threads, said: str) -> None:
    assert threads.sentence() == said
