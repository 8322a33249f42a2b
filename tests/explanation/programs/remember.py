"""Each page that is read leaves a short note. The notes are too long for pymalloc."""

import sys

notes: list[bytearray] = []


def remember() -> None:
    notes.append(bytearray(600))  # guilty


def read_page() -> bytearray:
    return bytearray(2600)


pages: list[bytearray] = []
for _number in range(int(sys.argv[1]) * 2):
    pages.append(read_page())
    remember()
pages.clear()
