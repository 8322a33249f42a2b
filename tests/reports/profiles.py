"""A slow reader of profiles for pprof, independent of the writer."""

import gzip
from typing import Any

Fields = dict[int, list[Any]]
"""The values of each field of a message: integers, and bytes for strings and messages."""


def varint(content: bytes, at: int) -> tuple[int, int]:
    """Return an integer and the position after it."""
    value = shift = 0
    while True:
        value |= (content[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if content[at - 1] < 128:
            return value, at


def fields(content: bytes) -> Fields:
    """Return the fields of a message; other wire types than 0 and 2 are an error."""
    found, at = Fields(), 0
    while at < len(content):
        key, at = varint(content, at)
        value: Any
        value, at = varint(content, at)
        if key & 7 == 2:
            at, value = at + value, content[at : at + value]
            assert at <= len(content)
        else:
            assert key & 7 == 0
        found.setdefault(key >> 3, []).append(value)
    return found


def integers(content: bytes) -> list[int]:
    """Return the integers of a packed field."""
    found, at = list[int](), 0
    while at < len(content):
        value, at = varint(content, at)
        found.append(value)
    return found


def only(message: Fields, number: int) -> Any:
    """Return the value of a field that occurs once, or 0 if it is missing."""
    (value,) = message.get(number, [0])
    return value


class Profile:
    """A profile: the names and units of its values, and its samples with whole frames."""

    def __init__(self, content: bytes) -> None:
        top = fields(gzip.decompress(content))
        texts = [text.decode() for text in top[6]]
        assert texts[0] == ""
        assert len({*texts}) == len(texts)
        types = [fields(each) for each in top[1]]
        self.types = [(texts[only(each, 1)], texts[only(each, 2)]) for each in types]
        self.default = texts[only(top, 14)]
        self.comment = texts[only(top, 13)]
        modules = {0: ""} | {only(m, 1): texts[only(m, 5)] for m in map(fields, top.get(3, []))}
        functions = {
            only(f, 1): (texts[only(f, 2)], texts[only(f, 4)]) for f in map(fields, top[5])
        }
        self.samples: list[tuple[list[tuple[str, str, int, str]], list[int]]] = []
        locations = {}
        for place in map(fields, top[4]):
            line = fields(only(place, 4))
            function, file = functions[only(line, 1)]
            locations[only(place, 1)] = (function, file, only(line, 2), modules[only(place, 2)])
        for sample in map(fields, top[2]):
            frames = [locations[number] for number in integers(only(sample, 1))]
            self.samples.append((frames, integers(only(sample, 2))))
