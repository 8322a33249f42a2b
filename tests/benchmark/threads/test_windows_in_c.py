"""The loop in C makes the recorded calls, so its time can be compared with the driver's time."""

from collections import Counter
from pathlib import Path

import pytest

from allocsim.events import Op
from tests.benchmark.threads.test_replay import Witness, allocate
from tests.benchmark.threads.windows_in_c import LoopInC, compile_loop
from tests.benchmark.threads.workloads import plan_of, random_threads, real_calls


@pytest.mark.parametrize("window", [1, 50])
def test_loop_in_c_makes_the_recorded_calls(compiler: str, tmp_path: Path, window: int) -> None:
    calls, witness = random_threads(11, 400, 6), Witness(allocate)
    loop = LoopInC(
        compile_loop(compiler, tmp_path / "loop.so"), plan_of(calls, window), witness.function
    )
    expected = Counter((call.op.name.lower(), call.request) for call in real_calls(calls))
    for _ in range(2):
        witness.seen.clear()
        assert loop.replay() > 0
        assert Counter((name, size) for _, name, size in witness.seen) == expected
        live = sum((call.op < Op.REALLOC) - (call.op == Op.FREE) for call in calls)
        assert loop.free_objects() == live
