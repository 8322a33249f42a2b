"""Choice of a program image by a number, such as the process id that the user gives.

A program image is what one process runs until it calls exec or ends (see `layout`). A process may
have several images.
"""

from __future__ import annotations

from typing import NamedTuple

from allocsim.traces.preload.images import Image
from allocsim.traces.preload.reader import ImageReader

EARLIER = 32
"""The N-th earlier image of process PID has the number N << EARLIER | PID."""


class Choices(NamedTuple):
    """The images of a recording, the earliest first.

    A process id identifies the image of the last program that the process executed. The images of
    programs executed earlier have numbers that are too large for a process id (see EARLIER).
    """

    images: list[Image]

    def image(self, number: int) -> Image | None:
        """Return the image with this number, or None if no image has it."""
        return self._numbered().get(number)

    def is_first(self, image: Image) -> bool:
        """Return whether `image` is the last image of the recording's first process."""
        return image.process == self.images[0].process and self._number(image) == image.process

    def others(self, image: Image | None) -> dict[int, int]:
        """Return how many calls each image made, except `image` if it is not None.

        The keys are the numbers that identify the images. Images without calls are omitted.
        """
        counts = {
            number: _count_calls(other)
            for number, other in self._numbered().items()
            if image is None or other.identity != image.identity
        }
        return {number: count for number, count in counts.items() if count}

    def label(self, number: int) -> str:
        """Return program and process id, as in "sh.1234".

        For the N-th earlier image of a process, N is appended, as in "sh.1234.1".
        """
        image = self._numbered()[number]
        earlier = number >> EARLIER
        return f"{image.program}.{image.process}" + (f".{earlier}" if earlier else "")

    def _number(self, image: Image) -> int:
        """Return the number that identifies an image."""
        return next(
            number for number, other in self._numbered().items() if other.identity == image.identity
        )

    def _numbered(self) -> dict[int, Image]:
        """Return the images by their numbers."""
        numbered: dict[int, Image] = {}
        for image in self.images:
            earlier = numbered.pop(image.process, None)
            if earlier is not None:
                count = 1 + sum(number % (1 << EARLIER) == image.process for number in numbered)
                numbered[count << EARLIER | image.process] = earlier
            numbered[image.process] = image
        return numbered


def _count_calls(image: Image) -> int:
    """Return the number of calls that an image made."""
    reader = ImageReader(image)
    for _ in reader.batches():
        pass
    return sum(reader.calls_by_kind.values())
