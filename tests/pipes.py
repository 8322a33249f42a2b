"""A pipe with a name, as the shell's <(command) gives it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def filled_pipe(content: bytes) -> Iterator[str]:
    """Yield the path of a pipe that has this content, at most 64 KiB, and then ends."""
    reading, writing = os.pipe()
    try:
        os.write(writing, content)
        os.close(writing)
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
