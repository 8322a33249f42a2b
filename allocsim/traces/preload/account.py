"""Account of a recording: sentences on what the trace of a program image contains and lacks.

A program image is what one process runs until it calls exec or ends (see `layout`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from allocsim.text import counted, format_bytes
from allocsim.traces.preload.images import Flag, Image
from allocsim.traces.preload.layout import CHUNK
from allocsim.traces.preload.reader import ImageReader, Started

MAX_NAMED = 5
"""Maximum number of programs that a sentence names."""


def account_notes(reader: ImageReader, inherited: int) -> Iterator[str]:
    """Yield sentences about what was recorded. `reader` must have read all calls."""
    image = reader.image
    yield _census(reader)
    if inherited:
        yield f"the trace begins with {counted(inherited, 'object')} inherited by fork"
    if image.header["maps"]:
        yield f"{_mapped(image.header)}; this memory is not in the trace"
    if siteless := int(image.header["siteless"]):
        yield f"calls whose stack could not be recorded: {siteless:,}"
    if image.has(Flag.DEEPBIND):
        yield (
            "a library was opened with RTLD_DEEPBIND; this flag was ignored so that the library's "
            "calls are recorded"
        )
    if image.has(Flag.USABLE_SIZE):
        yield "the program calls malloc_usable_size, so it may use more bytes than it requested"


def account_losses(reader: ImageReader, images: list[Image]) -> Iterator[str]:
    """Yield a sentence about each kind of missing calls. `reader` must have read all calls."""
    image = reader.image
    for reason, count in image.lost.items():
        yield f"{counted(count, 'call')} not recorded: {reason}"
    for reason, count in _lost_children(image, images).items():
        missing = "any programs that they executed may be missing"
        yield f"forked processes not recorded: {count:,} ({reason}); {missing}"
    if image.has(Flag.OWN_MALLOC):
        yield "the program has its own malloc, whose calls are not recorded"
    if reader.damaged:
        yield "the program has overwritten a part of the recording"
    if reader.missing:
        size = format_bytes(reader.missing * CHUNK)
        yield f"up to {size} of the recording was cut off or overwritten"
    unseen = [program for program in reader.started if not _is_recorded(program, image, images)]
    for is_own in (True, False):
        programs = [program for program in unseen if (program.process == image.process) == is_own]
        if programs:
            yield _unrecorded(programs)


def _lost_children(image: Image, images: list[Image]) -> Counter[str]:
    """Return the number of processes of which no call was recorded, by reason.

    These are forked children of `image`, their forked children, and so on.
    """
    lost, parents = Counter[str](), [image]
    while parents:
        parent = parents.pop()
        lost.update(parent.lost_children)
        for child in images:
            is_child = child.header["parent"] == parent.identity
            if is_child and child.is_lost and child.identity > parent.identity:
                lost[next(iter(child.lost))] += 1
                parents.append(child)
    return lost


def _census(reader: ImageReader) -> str:
    """Return a phrase that counts threads, ends of threads, and the calls of each function."""
    kinds = reader.calls_by_kind
    listed = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items())
    return (
        f"{counted(reader.threads, 'thread')} ({reader.ended:,} ended); "
        f"{counted(sum(kinds.values()), 'call')}" + (f": {listed}" if listed else "")
    )


def _mapped(header: Any) -> str:
    """Return a phrase on the memory that the program obtained without malloc (see `HEADER`)."""
    text = f"the program itself mapped {format_bytes(int(header['mapped']))}"
    return f"{text} in {counted(int(header['maps']), 'call')}"


def _is_recorded(started: Started, image: Image, images: list[Image]) -> bool:
    """Return whether a started program was recorded.

    If so, its process has an image that begins after the call that started the program.
    """
    return any(
        candidate.process == started.process
        and candidate.identity > image.identity + started.stamp
        and not candidate.is_lost
        for candidate in images
    )


def _unrecorded(started: list[Started]) -> str:
    """Return a sentence about started programs that have no image."""
    names = list(
        dict.fromkeys(f"{program.program} (process {program.process})" for program in started)
    )
    text = ", ".join(names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")
    if any(not program.keeps_preload for program in started):
        reason = "LD_PRELOAD was removed from their environment"
        return f"programs not recorded, because {reason}: {text}"
    reasons = "static, set-uid or 32-bit program, ulimit, full disk"
    return f"programs not recorded: {text}; possible reasons: {reasons}"
