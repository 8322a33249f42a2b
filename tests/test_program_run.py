"""The figures of a program's run, in words and in bytes."""

from typing import Any

from msgspec.structs import replace

from allocsim.program_run import ProgramRun

MIB = 1 << 20


def program_run(**more: Any) -> ProgramRun:
    """Return a run of a program under glibc."""
    figures: dict[str, Any] = {
        "anonymous_peak": 30 * MIB,
        "outside_malloc": 2 * MIB,
        "recorder_memory": 32 << 10,
        "recorder": "preload",
        "seconds": 1.25,
        "cpu_seconds": 2.5,
        "threads": 9,
        "cores": 2,
        "malloc": "/lib/libc.so.6",
    }
    return ProgramRun(**(figures | more))


def test_text_names_every_figure() -> None:
    assert program_run().text == (
        "peak 30.0 MiB of anonymous memory (2.0 MiB not from malloc; 32.0 KiB of preload itself "
        "left out); 1.25 s under preload, 2.50 s of CPU time; 9 threads at once, on 2 cores; "
        "malloc of libc.so.6"
    )


def test_text_of_a_run_without_a_recorder_names_none() -> None:
    plain = replace(program_run(malloc=None), recorder=None, recorder_memory=0)
    assert "preload" not in plain.text
    assert "malloc of" not in plain.text


def test_text_says_that_the_end_was_not_sampled() -> None:
    assert program_run(unsampled=0.5).text.endswith("; its last 0.50 s were not sampled")


def test_text_of_a_hostile_file_is_printable() -> None:
    assert "\x1b" not in program_run(malloc="/tmp/lib\x1b[31m.so").text


def test_peak_of_malloc_is_what_is_not_from_elsewhere() -> None:
    assert program_run().malloc_peak == 28 * MIB
    assert program_run(outside_malloc=31 * MIB).malloc_peak == 0
