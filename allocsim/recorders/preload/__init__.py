"""allocsim's own recorder, which is called `preload`.

A C library, which LD_PRELOAD loads into the program, records every call of every thread. Its code
is in `source`, and is compiled when it is first used. `traces.preload` reads the recording that the
library writes. The recording has an image for each program that a recorded process executed.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec.structs import replace

from allocsim.capabilities import Capabilities
from allocsim.events import Trace
from allocsim.recorders.base import Recorder, RecorderFailed, Request, open_recording
from allocsim.recorders.compiler import INSTALL, why_no_compiler
from allocsim.recorders.linkage import why_not_preloaded
from allocsim.recorders.preload.clock import TickClock, is_tsc_trusted
from allocsim.recorders.preload.library import recorder_library
from allocsim.recorders.preload.live import LiveWatch
from allocsim.recorders.preload.watch import MemoryWatch, wait_for_leftovers
from allocsim.recorders.program import Outcome, Watch, preload
from allocsim.traces.preload.choice import Choices
from allocsim.traces.preload.images import find_images
from allocsim.traces.preload.trace import open_image

IMAGES, FACTS = "images", "facts.json"
"""Names in the work directory: the directory of the images that the library writes, and the file
with the measurements made from outside the program."""

MAX_FACTS = 1 << 16
"""Size in bytes of the file FACTS. The samples of `MemoryWatch` in it take at most MAX_SAMPLES * 50
bytes."""

MAX_DIRECTORY = 400
"""Maximum length in bytes of the path of the images directory, as in source/state.h."""

MIN_GLIBC = (2, 35)
"""First version of glibc with _dl_find_object, which the library needs to record stacks."""


def missing(request: Request) -> str | None:
    """Return why the library cannot be used, with the remedy, or None if it can."""
    if request.sites and not _has_find_object():
        return "--sites needs glibc 2.35 or newer"
    return why_no_compiler()


def _has_find_object() -> bool:
    """Return whether this machine's C library is glibc MIN_GLIBC or newer."""
    name, version = platform.libc_ver()
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    return name == "glibc" and tuple(numbers) >= MIN_GLIBC


def run(request: Request, directory: Path) -> Outcome:
    """Run the program with the library preloaded."""
    images = directory / IMAGES
    if len(os.fsencode(images)) > MAX_DIRECTORY:
        raise RecorderFailed(f"the path '{images}' is too long; set TMPDIR to a shorter path")
    facts_file = directory / FACTS
    try:
        images.mkdir()
        facts_file.write_bytes(bytes(MAX_FACTS))  # reserved, because the disk may be full later
    except OSError as error:
        raise RecorderFailed(f"cannot write in '{directory}': {error.strerror}") from error
    library = recorder_library(directory)
    clock = TickClock(library)
    samples = MemoryWatch(images, clock)
    variables = preload(library) | {
        "ALLOCSIM_RECORD": str(images),
        # Set these even if they are empty. If allocsim itself is recorded, its environment has the
        # values of that recording, which the program would inherit.
        "ALLOCSIM_RECORD_TSC": "1" if is_tsc_trusted() else "",
        "ALLOCSIM_RECORD_SITES": "1" if request.sites else "",
    }
    outcome = request.runner(request.program, variables, _watch(request, images, clock, samples))
    if request.wait:
        wait_for_leftovers(directory)
    facts = {"ns_per_tick": clock.ns_per_tick(), "samples": samples.samples}
    with facts_file.open("r+b") as file:
        file.write(json.dumps(facts).encode())
    return _with_mapped(outcome, samples.mapped)


def _watch(request: Request, images: Path, clock: TickClock, samples: MemoryWatch) -> Watch:
    """Return a Watch that samples the program's memory and, if requested, shows live figures."""
    if request.live is None:
        return samples.watching
    live = LiveWatch(images, clock, request.live)

    @contextmanager
    def watching(process: int) -> Iterator[None]:
        """Take samples and show live figures during the block."""
        with samples.watching(process), live.watching(process):
            yield

    return watching


def _with_mapped(outcome: Outcome, mapped: int) -> Outcome:
    """Add the bytes that the program obtained without malloc to the figures of its run."""
    run = outcome.run
    if run is None:
        return outcome
    outside = min(run.outside_malloc + mapped, run.anonymous_peak)
    counted = replace(run, mapped=outside - run.outside_malloc, outside_malloc=outside)
    return outcome._replace(run=counted)


@contextmanager
def read(directory: Path, outcome: Outcome) -> Iterator[Trace]:
    """Open the trace of the program image that `outcome.process` identifies.

    `outcome.process` is either a process id, which identifies the last image of the process, or the
    number that `Choices` gives to an earlier image.
    """
    facts = json.loads((directory / FACTS).read_bytes().rstrip(b"\0"))
    choices = Choices(find_images(directory / IMAGES))
    image = choices.image(outcome.process)
    if image is None:
        with open_recording(directory / "nothing") as nothing:
            nothing.processes.update(choices.others(None))
            yield nothing
        return
    trace = open_image(image, choices.images, facts["ns_per_tick"])
    if choices.is_first(image):
        trace.description["samples"] = facts["samples"]
        trace.description["sample_fields"] = MemoryWatch.FIELDS
        trace.processes.update(choices.others(image))
    with closing(trace):
        yield trace


def label(directory: Path, process: int) -> str:
    """Return the name and the process id of the image that `process` identifies."""
    return Choices(find_images(directory / IMAGES)).label(process)


RECORDER = Recorder(
    name="preload",
    summary="every call with its thread and time, and the ends of threads; adds 5 to 20 ns/call",
    install=INSTALL,
    capabilities=Capabilities(
        threads="yes", thread_ends="yes", reallocs="yes", aligned_calls="yes"
    ),
    missing=missing,
    unsuited=why_not_preloaded,
    run=run,
    read=read,
    label=label,
    records_children=True,
    keeps_inherited=True,
    records_sites=True,
    waits_for_children=True,
    shows_live=True,
    own_memory=32 << 10,  # measured with a program that allocates only once
)
