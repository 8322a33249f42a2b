"""The peak of a program's anonymous memory, compared with the memory that the program touches."""

import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from allocsim.program_run import ProgramRun
from allocsim.recorders import peak_watch
from allocsim.recorders.peak_watch import EARLY_SAMPLES, MAX_INTERVAL, Peak, PeakWatch
from allocsim.recorders.program import find_program, run_program
from allocsim.recorders.smaps import NO_MEMORY, MemoryMap

MIB = 1 << 20

SOURCE = """\
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static char table[4 << 20];
int main(int count, char **words)
{
    if (count > 1) { /* grow, then execute the program again without an argument */
        memset(malloc(64 << 20), 1, 64 << 20);
        execl(words[0], words[0], NULL);
    }
    memset(table, 1, sizeof table);
    char *first = malloc(24 << 20), *second = malloc(8 << 20);
    memset(first, 1, 24 << 20);
    memset(second, 1, 8 << 20);
    free(first);
    usleep(300000); /* until its memory has been sampled, on a busy machine too */
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program with 4 MiB of static data. Its heap reaches 32 MiB, then shrinks to 8 MiB."""
    path = tmp_path_factory.mktemp("peak") / "peak"
    options = ["-x", "c", "-O1", "-fno-builtin", "-o", str(path), "-"]
    subprocess.run([compiler, *options], input=SOURCE.encode(), check=True)
    return str(path)


def run_of(*command: str) -> ProgramRun:
    """Run a program and return its figures."""
    run = run_program(find_program(command), {}).run
    assert run is not None
    return run


def test_peak_is_what_the_program_touched(program: str) -> None:
    """The kernel keeps the peak, although the large block may be freed before the first sample.

    The count of the kernel lags by up to 32 pages for each processor.
    """
    run = run_of(program)
    assert 35 * MIB < run.anonymous_peak < 38 * MIB
    assert 4 * MIB <= run.outside_malloc < 5 * MIB
    assert 30 * MIB < run.malloc_peak < 33 * MIB
    assert run.threads == 1
    assert run.malloc is not None
    assert Path(run.malloc).name == "libc.so.6"


def test_memory_before_exec_does_not_count(program: str) -> None:
    run = run_of(program, "exec")
    assert 35 * MIB < run.anonymous_peak < 38 * MIB


EXECUTES = """\
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words)
{
    memset(malloc(SIZE << 20), 1, SIZE << 20);
    usleep(300000); /* until its memory has been sampled, on a busy machine too */
    return NEXT;
}
"""


def test_exec_without_address_randomisation_is_noticed(compiler: str, tmp_path: Path) -> None:
    """The arguments and paths of both programs are equally long, so their stacks start alike."""
    if subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False).returncode:
        pytest.skip("address randomisation cannot be turned off")
    first, last = (str(tmp_path / name) for name in ("first", "final"))
    for path, size, then in ((first, 64, "execv(words[1], words)"), (last, 8, "count != 2")):
        options = [f"-DSIZE={size}", f"-DNEXT={then}", "-O1", "-fno-builtin", "-o", path]
        command = [compiler, "-w", "-x", "c", *options, "-"]
        subprocess.run(command, input=EXECUTES.encode(), check=True)
    run = run_of("setarch", "-R", first, last)
    assert 8 * MIB < run.anonymous_peak < 12 * MIB


def test_program_that_samples_miss_has_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allocsim.recorders.peak_watch._fields", lambda _: {"Threads": 1})
    assert run_program(find_program(["true"]), {}).run is None


@dataclass
class Clock(threading.Event):
    """The event that is set at the end of a program, and the clock that its waits advance."""

    end: float
    """The time in seconds at which the program ends."""
    late: float
    """Seconds by which the wait at the end is late."""
    now: float = 0
    cpu: float = 0
    """CPU seconds in which each sample from second 50 on reads the mappings."""

    def wait(self, timeout: float | None = None) -> bool:
        """Advance the clock; return whether the program has ended."""
        self.now += self.end if timeout is None else timeout
        if self.now <= self.end:
            return False
        self.now += self.late
        return True

    def unsampled(
        self, monkeypatch: pytest.MonkeyPatch, main_thread: float, others: float = 0
    ) -> float:
        """Watch a program whose threads have memory until these times; return `Peak.unsampled`."""

        def sample(watch: PeakWatch, _: int) -> bool:
            runs = self.now < main_thread
            if runs:
                watch._map_time = self.cpu if self.now >= 50 else 0.0
                self.now += watch._map_time
            return runs

        monkeypatch.setattr(peak_watch, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(PeakWatch, "_sample", sample)
        monkeypatch.setattr(peak_watch, "_has_memory", lambda _: self.now < others)
        watch = PeakWatch()
        watch._run(7, self)
        return watch.peak.unsampled


@pytest.mark.parametrize(("late", "unsampled"), [(0.1, 0.0), (2.0, 2.0 + MAX_INTERVAL)])
def test_end_of_a_run_is_unsampled_if_many_samples_were_due(
    late: float, unsampled: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program ends `late` seconds after its last sample was due."""
    end = Clock(100, late)
    assert end.unsampled(monkeypatch, main_thread=200) == pytest.approx(unsampled)


def test_time_in_which_the_kernel_frees_the_memory_is_not_unsampled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = Clock(200, 0)
    assert end.unsampled(monkeypatch, main_thread=100, others=100) == 0


def test_time_in_which_the_sampler_frees_the_memory_is_not_unsampled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = Clock(200, 0, cpu=20)
    assert end.unsampled(monkeypatch, main_thread=60, others=60) == 0


def test_threads_that_outlive_the_main_thread_are_not_sampled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end = Clock(200, 0)
    unsampled = end.unsampled(monkeypatch, main_thread=100, others=150)
    assert unsampled == pytest.approx(50, abs=3 * MAX_INTERVAL)


@pytest.mark.parametrize(
    ("error", "is_waited_for"), [(FileNotFoundError(), False), (OSError(24, "EMFILE"), True)]
)
def test_end_of_a_process_is_waited_for_if_its_threads_cannot_be_listed(
    error: OSError, is_waited_for: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise error

    monkeypatch.setattr(Path, "iterdir", fail)
    assert peak_watch._has_memory(1) is is_waited_for


def test_peak_between_samples_is_the_kernels_less_file_pages() -> None:
    peak = Peak()
    for anonymous, file, high in ((5, 3, 8), (6, 4, 30), (5, 2, 30)):
        fields = {"RssAnon": anonymous, "RssFile": file, "RssShmem": 0, "VmHWM": high}
        peak.add({**fields, "Threads": 2})
    assert peak.anonymous == 30 - 4


def test_mappings_without_a_malloc_are_read_again_only_when_memory_grows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads = []
    fields = {"RssAnon": MIB, "RssFile": 0, "RssShmem": 0, "VmHWM": MIB, "Threads": 1}

    def read(process: int) -> MemoryMap:
        """Count a read of the mappings; return mappings without a library."""
        reads.append(process)
        return NO_MEMORY

    monkeypatch.setattr(peak_watch, "_layout", lambda _: (1, 1))
    monkeypatch.setattr(peak_watch, "_fields", lambda _: fields)
    monkeypatch.setattr(peak_watch, "read_memory_map", read)
    watch = PeakWatch()
    for _ in range(EARLY_SAMPLES + 30):
        assert watch._sample(7)
    assert len(reads) == EARLY_SAMPLES
    fields["RssAnon"] = fields["VmHWM"] = 2 * MIB
    assert watch._sample(7)
    assert len(reads) == EARLY_SAMPLES + 1


def test_new_layout_is_exec_and_lower_vmhwm_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """VmHWM falls by some pages whenever the kernel adds up the counts of its processors."""
    fields = {"RssAnon": 8 * MIB, "RssFile": 0, "RssShmem": 0, "VmHWM": 9 * MIB, "Threads": 1}
    monkeypatch.setattr(peak_watch, "_fields", lambda _: fields)
    monkeypatch.setattr(peak_watch, "read_memory_map", lambda _: NO_MEMORY)
    watch = PeakWatch()
    for layout, anonymous, kernel_peak, expected in (
        ((1, 1), 8 * MIB, 9 * MIB, 9 * MIB),
        ((1, 1), 2 * MIB, 9 * MIB - 4096, 9 * MIB),
        ((0, 0), 2 * MIB, 9 * MIB - 4096, 9 * MIB),
        ((1, 2), MIB, MIB, MIB),
    ):
        monkeypatch.setattr(peak_watch, "_layout", lambda _, layout=layout: layout)
        fields["RssAnon"], fields["VmHWM"] = anonymous, kernel_peak
        assert watch._sample(7)
        assert watch.peak.anonymous == expected
