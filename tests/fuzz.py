"""Damaged input: mutations of traces, job files and results, and the allowed outcomes.

The suite runs some thousands of cases; ALLOCSIM_FUZZ=100000 runs that many of each kind.
`python -m tests.fuzz KIND 60000 [SEED]` runs them without pytest; KIND is one of KINDS.
"""

import gzip
import os
import random
import resource
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.errors import AllocsimError, OutOfMemory
from allocsim.events import Trace
from allocsim.generators import Generator
from allocsim.jobs import read_job
from allocsim.player import Options, replay_trace
from allocsim.traces import open_trace
from tests import fuzz_binary, fuzz_results
from tests.call_sites.stacks import stacks_of
from tests.damage import mutated_sites, mutated_store
from tests.damage_recording import convert_images, write_damaged
from tests.forked_memray import forked_reader
from tests.mutations import LONG_LINES, mutated, with_long_line

AOSP = b"".join(
    b"%d: %s\n" % (1 + number % 3, call)
    for number, call in enumerate(
        (
            b"malloc 0x10 5",
            b"calloc 0x20 7 9",
            b"memalign 0x1000 64 100",
            b"realloc 0x30 0x20 100 123 456",
            b"free 0x10 437672204000000000 437672204000000001",
            b"malloc 0xb400007812345670 100000",
            b"realloc 0x7f0000000010 0x0 24",
            b"free 0x0",
            b"realloc 0x0 0x30 0",
            b"malloc 0x0 999",
            b"thread_done 0x0",
            b"free 0x99",
            b"malloc 0x1000 1",
            b"free 0x7f0000000010",
        )
        * 2
    )
)

SAMPLES = Path(__file__).parent / "traces" / "samples"


def excerpt(name: str) -> bytes:
    """Some lines of a sample: its beginning and some of its middle."""
    lines = gzip.decompress((SAMPLES / f"{name}.gz").read_bytes()).splitlines(keepends=True)
    return b"".join(lines[:20] + lines[len(lines) // 2 :][:15])


RECORDED = {
    "aosp": (AOSP,),
    "mtrace": (excerpt("sqlite.mtrace"), excerpt("python.mtrace")),
    "lttng": (excerpt("shell.lttng"), excerpt("git.lttng"), excerpt("sqlite.lttng")),
    "valgrind": (excerpt("ls.valgrind"), excerpt("apt.valgrind"), excerpt("sqlite.valgrind")),
    "logalloc": (excerpt("shell.logalloc"), excerpt("munged.logalloc"), excerpt("ls.logalloc")),
    "ltrace": (excerpt("ls.ltrace"), excerpt("git.ltrace"), excerpt("sqlite.ltrace")),
    **fuzz_binary.RECORDED,
}
"""Content to damage, by format."""

OWN: dict[str, Callable[[random.Random], bytes]] = {
    "stored": mutated_store,
    "sites": mutated_sites,
    "recording": lambda _: b"",
}
"""Functions that return a damaged input of allocsim's own formats."""

KINDS = ("jobs", *OWN, *fuzz_results.READ, *RECORDED)

JOBS = (
    b'kind = "random"\nseed = 1\nops = 100\nslots = 10\nthreads = 2\n'
    b'size = { distribution = "log-uniform", max = "4KiB" }\n',
    b'kind = "repeat"\nrounds = 3\nsizes = [1, 2, "4KiB", 0x10]\n',
    b'kind = "sweep"\nfirst = 8\nlast = "400"\nstep = 8\nobjects = 4\nrounds = 1\n',
    b'kind = "pipeline"\nops = 100\ndepth = 10\n'
    b'size = { distribution = "uniform", min = 16, max = 512 }\n',
    b'kind = "server"\nops = 100\nthreads = 4\n[[population]] # requests\nweight = 90\n'
    b'slots = 20\nsize = { distribution = "fixed", bytes = "1.5KiB" }\n'
    b'[[population]]\nweight = 1\nslots = 4\nsize = { distribution = "uniform" }\n',
    b'kind = "phases"\nrounds = 2\n[[phase]]\nallocate = 20\nfree = 0.9\norder = "oldest"\n'
    b'size = { distribution = "fixed", bytes = 96 }\n[[phase]]\nfree = 1e-1\n',
)


def cases(compiled: int, pure: int) -> int:
    """Return the number of cases: ALLOCSIM_FUZZ, or a default for compiled or for pure mode."""
    return int(os.environ.get("ALLOCSIM_FUZZ", pure if PURE else compiled))


def play_safely(trace: Trace, check_every: int | None = None) -> str:
    """Replay a trace and return the outcome; only AllocsimError is caught."""
    try:
        with Heap(reserve=16 << 20) as heap:
            profile = replay_trace(heap, trace, Options(verify=True, check_every=check_every))
            assert sum(profile.at_end.parts.values()) == profile.at_end.heap
    except AllocsimError as error:
        return ending(error)
    return "success"


def try_trace(content: bytes, path: Path, form: str | None = None) -> str:
    """Read a trace from a file and replay it; return the outcome."""
    path.write_bytes(content)
    try:
        trace = open_trace(str(path), form)
    except AllocsimError as error:
        return ending(error, path.name)
    return play_safely(trace)


def try_job(content: bytes, path: Path) -> str:
    """Read a job file and replay it if it is small; return the outcome."""
    path.write_bytes(content)
    try:
        generator = read_job(path)
    except AllocsimError as error:
        return ending(error, path.name)
    generator.length()
    return play_safely(generator.trace("fuzz")) if is_small(generator) else "large"


def ending(error: AllocsimError, named: str = "") -> str:
    """Return the type of an error. Its message must name the input."""
    if not str(error) or named not in str(error):
        raise AssertionError(f"'{error}' does not name {named!r}")
    return type(error).__name__


def is_small(generator: Generator) -> bool:
    """Whether generating all events takes little time and memory."""
    counts = [
        getattr(generator, name, 1) for name in ("ops", "rounds", "objects", "slots", "depth")
    ]
    inner = [*getattr(generator, "population", ()), *getattr(generator, "phase", ())]
    counts += [getattr(part, name, 1) for part in inner for name in ("allocate", "slots")]
    return max(counts) <= 5000 and (generator.length() or 0) <= 5000 and sum(counts) < 20_000


def try_result(kind: str, content: bytes, path: Path) -> str:
    """Read and use a file that is neither a trace nor a job; return the outcome."""
    path.write_bytes(content)
    try:
        fuzz_results.read_quietly(kind, path)
    except AllocsimError as error:
        return ending(error, "" if isinstance(error, OutOfMemory) else path.name)
    return "success"


def try_sites(content: bytes, path: Path) -> str:
    """Read an allocsim trace with its call sites; return the outcome."""
    path.write_bytes(content)
    try:
        with open_trace(str(path), sites=True) as trace:
            if trace.sites is not None:
                stacks_of(trace)
    except AllocsimError as error:
        return ending(error, path.name)
    return "success"


def try_recording(directory: Path, rng: random.Random) -> str:
    """Convert a damaged recording, and read the traces with their call sites."""
    write_damaged(directory, rng)
    for path in convert_images(directory):
        end = try_sites(path.read_bytes(), path)
        assert end == "success", end
        end = try_trace(path.read_bytes(), path)
        assert end in ("success", "OutOfMemory"), end
    return "success"


def try_case(kind: str, content: bytes, path: Path, rng: random.Random) -> str:
    """Read damaged content; return the outcome.

    Half of the traces are read in their original format, whatever format the damage suggests.
    """
    if kind == "jobs":
        return try_job(content, path)
    if kind == "sites":
        return try_sites(content, path)
    if kind == "recording":
        return try_recording(path.parent / "recording", rng)
    if kind in fuzz_results.READ:
        return try_result(kind, content, path)
    if kind == "memray" and rng.random() < 0.5:
        return try_sites(content, path)
    form = kind if kind != "stored" and rng.random() < 0.5 else None
    return try_trace(content, path, form)


def damaged(kind: str, rng: random.Random) -> bytes:
    """A damaged input of a kind; b"" for a recording, which has several files."""
    if kind in OWN:
        return OWN[kind](rng)
    if kind in fuzz_results.READ:
        return fuzz_results.damaged(kind, rng)
    content = mutated(rng.choice(JOBS if kind == "jobs" else RECORDED[kind]), rng)
    if kind != "jobs" and rng.random() < LONG_LINES:
        content = with_long_line(content, rng)
    return content


def run(kind: str, count: int, seed: int, path: Path) -> dict[str, int]:
    """Run `count` cases of a kind; return the number of each outcome.

    AssertionError names the first case with an unexpected outcome."""
    rng, ends = random.Random(seed), dict[str, int]()
    with forked_reader() if kind == "memray" else nullcontext():
        for case in range(count):
            content = damaged(kind, rng)
            try:
                end = try_case(kind, content, path, rng)
            except Exception as error:
                shown = content[:10_000]
                raise AssertionError(f"{kind}, seed {seed}, case {case}: {shown!r}") from error
            ends[end] = ends.get(end, 0) + 1
    return ends


def main() -> None:
    """Run the cases given on the command line, and print their outcomes."""
    import tempfile

    kind, count, *seed = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        ends = run(kind, int(count), int(seed[0] if seed else 1), Path(directory) / "input.toml")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(dict(sorted(ends.items())), f"peak memory {peak} MiB")  # noqa: T201


if __name__ == "__main__":
    main()
