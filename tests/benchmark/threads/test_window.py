"""The choice of a window: the number of events within which the threads of a replay run freely.

Within a window, a thread may run ahead of the others, so live bytes may exceed the recorded peak.
"""

import numpy as np
import pytest

from allocsim.benchmark.threads import window as module
from allocsim.benchmark.threads.window import MAX_STRAY, Ahead, choose_window, highest_live
from allocsim.core.memory import table
from allocsim.events import MAX_THREADS, Op
from tests.benchmark.threads.workloads import mapped, queue, random_threads, real_calls
from tests.driving import Call, live_after, malloc


def highest(calls: list[Call], window: int) -> tuple[int, int]:
    """Return the recorded peak and the upper bound of live bytes."""
    tables = table(np.int64, 1000), table(Ahead, MAX_THREADS)
    recorded, bound = highest_live(mapped(calls), *tables, window)
    return int(recorded), int(bound)


def slow_bound(calls: list[Call], window: int) -> int:
    """Return the upper bound of live bytes, computed by its definition.

    In each window, the bound is the sum of the maxima that the threads reach.
    """
    live, best, sizes = 0, 0, dict[int, int]()
    for begin in range(0, len(calls), window):
        net, top = dict[int, int](), dict[int, int]()
        change_in_all = 0
        for call in calls[begin : begin + window]:
            size = 0 if call.op == Op.FREE else call.request
            change = size - sizes.get(call.object, 0)
            sizes[call.object] = size
            change_in_all += change
            net[call.thread] = net.get(call.thread, 0) + change
            top[call.thread] = max(top.get(call.thread, 0), net[call.thread])
        best = max(best, live + sum(top.values()))
        live += change_in_all
    return best


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("window", [1, 10, 1000])
def test_bound_is_the_sum_of_the_maxima_of_threads(seed: int, window: int) -> None:
    calls = real_calls(random_threads(seed, 300, 5))
    assert highest(calls, window) == (max(live_after(calls)), slow_bound(calls, window))


def test_windows_of_one_event_do_not_stray() -> None:
    recorded, bound = highest(real_calls(random_threads(1, 300, 5)), 1)
    assert recorded == bound


def test_largest_window_that_does_not_stray_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOWS", (4, 8, 16, 32))
    kept = [malloc(number + 100, 1000) for number in range(20)]
    events = mapped([*kept, *queue(100)])
    chosen = choose_window(events, 200)
    strays = {size: highest([*kept, *queue(100)], size) for size in (4, 8, 16, 32)}
    fitting = [size for size, (peak, bound) in strays.items() if bound / peak - 1 <= MAX_STRAY]
    assert chosen.events == max(fitting)
    assert chosen.stray <= MAX_STRAY


def test_smallest_window_is_chosen_if_all_stray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOWS", (64, 128))
    chosen = choose_window(mapped(queue(100)), 200)
    assert (chosen.events, chosen.stray > MAX_STRAY) == (64, True)


def test_short_workload_is_one_window() -> None:
    events = mapped([malloc(number, 8, number % 3) for number in range(9)])
    assert choose_window(events, 9) == (module.WINDOWS[0], 0.0)
