"""Memory and processor time of a program, sampled from outside."""

import os
import time
from pathlib import Path

import pytest

from allocsim.recorders.preload.clock import TickClock
from allocsim.recorders.preload.watch import MemoryWatch
from allocsim.traces.preload.images import find_images
from tests.traces.preload.writing import write_image


@pytest.fixture
def clock(library: Path) -> TickClock:
    return TickClock(library)


def test_samples_are_of_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: TickClock
) -> None:
    """This process has more than a MiB of anonymous memory."""
    monkeypatch.setattr(MemoryWatch, "INTERVAL", 0.0)
    watch = MemoryWatch(tmp_path, clock)
    with watch.watching(os.getpid()):
        while not watch.samples:
            time.sleep(0.001)
    moment, anonymous, cpu = watch.samples[0]
    assert moment > 0
    assert anonymous > 1 << 20
    assert cpu > 0


def test_samples_stay_few(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: TickClock
) -> None:
    monkeypatch.setattr(MemoryWatch, "INTERVAL", 0.0)
    monkeypatch.setattr(MemoryWatch, "MAX_SAMPLES", 8)
    watch = MemoryWatch(tmp_path, clock)
    with watch.watching(os.getpid()):
        while len(watch.samples) < 4:
            time.sleep(0.001)
        time.sleep(0.05)
    assert len(watch.samples) < 8


def test_process_that_has_ended_has_no_more_samples(tmp_path: Path, clock: TickClock) -> None:
    watch = MemoryWatch(tmp_path, clock)
    with watch.watching(1 << 22):
        pass
    assert watch.samples == []


def test_time_of_a_sample_is_written_into_the_recording(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: TickClock
) -> None:
    monkeypatch.setattr(MemoryWatch, "INTERVAL", 0.0)
    write_image(tmp_path, [], process=os.getpid())
    before = clock.stamp()
    with MemoryWatch(tmp_path, clock).watching(os.getpid()):
        while not (now := int(find_images(tmp_path)[0].header["now"])):
            time.sleep(0.001)
    assert before < now < clock.stamp()


def test_ticks_are_calibrated(clock: TickClock) -> None:
    """A tick of a processor's clock is 0.1 to 100 ns; if there is no such clock, a tick is 1 ns."""
    time.sleep(0.01)
    assert 0.1 < clock.ns_per_tick() < 100
