"""Choice of an image: which program image of a recording a number stands for."""

from __future__ import annotations

from typing import NamedTuple

from allocsim.traces.preload.layout import Image
from allocsim.traces.preload.reader import ImageReader

EARLIER = 32
"""Bits below the number of an earlier image of a process, in the number that stands for it."""


class Choices(NamedTuple):
    """The images of a recording, the earliest first.

    A process id stands for the last program that the process executed. The programs before it have
    numbers that no process has.
    """

    images: list[Image]

    def image(self, number: int) -> Image | None:
        """Return the image that a number stands for; None if there is none."""
        return self._numbered().get(number)

    def is_first(self, image: Image) -> bool:
        """Return whether an image is the last one of the process that was started first."""
        return image.process == self.images[0].process and self._number(image) == image.process

    def others(self, image: Image) -> dict[int, int]:
        """Return the calls of each other image by its number, without those that made none."""
        counts = {
            number: _count_calls(other)
            for number, other in self._numbered().items()
            if other.identity != image.identity
        }
        return {number: count for number, count in counts.items() if count}

    def label(self, number: int) -> str:
        """Return program and process id, as in "sh.1234" or, of an earlier program, "sh.1234.1"."""
        image = self._numbered()[number]
        earlier = number >> EARLIER
        return f"{image.program}.{image.process}" + (f".{earlier}" if earlier else "")

    def _number(self, image: Image) -> int:
        """Return the number that stands for an image."""
        return next(
            number for number, other in self._numbered().items() if other.identity == image.identity
        )

    def _numbered(self) -> dict[int, Image]:
        """Return the images by their numbers."""
        found: dict[int, Image] = {}
        for image in self.images:
            earlier = found.pop(image.process, None)
            if earlier is not None:
                count = 1 + sum(number % (1 << EARLIER) == image.process for number in found)
                found[count << EARLIER | image.process] = earlier
            found[image.process] = image
        return found


def _count_calls(image: Image) -> int:
    """Return the number of calls that an image made."""
    reader = ImageReader(image)
    for _ in reader.batches():
        pass
    return sum(reader.calls_by_kind.values())
