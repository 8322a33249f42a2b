"""Simple readers of the text formats, most of them with a regular expression per line.

They share nothing with the readers under test.
"""

import re
from collections.abc import Callable, Iterator

from tests.traces.plain_records import RECORDS, Row
from tests.traces.recordings import Plain, read_plainly

POINTER = r"(0x[0-9a-fA-F]+|\(nil\))"


def number(text: str | None) -> int:
    """The value of a number in a recording."""
    if not text or text == "(nil)":
        return 0
    return int(text, 16 if text.startswith("0x") else 10)


def mtrace(text: str) -> Iterator[Row]:
    """Read the output of glibc's mtrace."""
    old = 0
    for line in text.splitlines():
        if not (found := re.fullmatch(rf"(?:@ .* )?([-+<>!]) {POINTER}(?: (0x\w+|0))?", line)):
            continue
        sign, address, size = found[1], number(found[2]), number(found[3])
        if sign == "<":
            old = address
        elif sign == "!":
            yield "realloc", "", 0, address, size
        elif sign == ">":
            yield "realloc", "", address, old, size
        else:
            yield ("malloc" if sign == "+" else "free"), "", address, 0, size


def lttng(text: str) -> Iterator[Row]:
    """Read the calls of the first process from the text of an LTTng trace."""
    first = None
    for line in text.splitlines():
        if " lttng_ust_libc:" not in line:
            continue
        name, _, rest = line.partition(" lttng_ust_libc:")[2].partition(":")
        fields = dict(re.findall(r"(\w+) = (\w+)", rest))
        first = first or fields["vpid"]
        if fields["vpid"] != first:
            continue
        size = number(fields.get("size")) * number(fields.get("nmemb", "1"))
        address = number(fields.get("ptr") or fields["out_ptr"])
        old = number(fields.get("in_ptr") or fields.get("alignment"))
        yield name.replace("posix_", ""), fields["vtid"], address, old, size


NEW = r"(?:_Zn[wa]\w*|malloc)"
DELETE = r"(?:_Zd[la]Pv\w*|free)"


def valgrind(text: str) -> Iterator[Row]:
    """Read the calls from the output of Valgrind."""
    for line in text.splitlines():
        if found := re.search(rf"--\d+-- (?:realloc\(0x0,\d+\))?{NEW}\((\d+)\) = (0x\w+)$", line):
            yield "malloc", "", number(found[2]), 0, number(found[1])
        elif found := re.search(rf"--\d+-- (?:realloc\(0x\w+,0\))?{DELETE}\((0x\w+)\)$", line):
            yield "free", "", number(found[1]), 0, 0
        elif found := re.search(r"--\d+-- calloc\((\d+),(\d+)\) = (0x\w+)$", line):
            yield "calloc", "", number(found[3]), 0, number(found[1]) * number(found[2])
        elif found := re.search(r"--\d+-- realloc\((0x\w+),(\d+)\) = (0x\w+)$", line):
            yield "realloc", "", number(found[3]), number(found[1]), number(found[2])


def logalloc(text: str) -> Iterator[Row]:
    """Read the calls of the first process from a log of Firefox."""
    first = text.split()[0]
    for line in text.splitlines():
        before, values = line.split("(")
        process, *threads, name = before.split()
        arguments, _, result = values.partition(")")
        if process != first or not arguments:
            continue
        thread = "".join(threads)
        given = [number(value.replace("#", "0x")) for value in arguments.split(",")]
        address = number(result.lstrip("=").replace("#", "0x"))
        if name == "free":
            yield "free", thread, given[0], 0, 0
        elif name == "calloc":
            yield "calloc", thread, address, 0, given[0] * given[1]
        elif name == "malloc":
            yield "malloc", thread, address, 0, given[0]
        else:
            yield name.removeprefix("posix_"), thread, address, given[0], given[1]


def ltrace(text: str) -> Iterator[Row]:
    """Read the output of ltrace; join unfinished calls by thread and name."""
    begun: dict[tuple[str, str], list[str]] = {}
    for line in text.splitlines():
        thread = (re.match(r"(\d+) ", line) or [""])[0].strip()
        if found := re.search(r"(\S+)->(\w+)\(([^)]*) <unfinished", line):
            begun[thread, found[2]] = [found[1], found[3]]
            if found[2] == "free":  # another thread may get the address before the call returns
                yield "free", thread, number(found[3]), 0, 0
            continue
        if found := re.search(r"<\.\.\. (\w+) resumed> \) += (\S+)", line):
            if found[1] == "free":
                continue
            library, arguments = begun.pop((thread, found[1]))
            name, result = found[1], found[2]
        elif found := re.search(r"(\S+)->(\w+)\(([^)]*)\) += (\S+)", line):
            library, name, arguments, result = found.groups()
        else:
            continue
        if library.startswith("libc.so"):
            continue
        given = [number(value) for value in arguments.split(", ")]
        if name == "free":
            yield "free", thread, given[0], 0, 0
        elif name == "realloc":
            yield "realloc", thread, number(result), given[0], given[1]
        elif name == "reallocarray":
            yield "realloc", thread, number(result), given[0], given[1] * given[2]
        elif name == "calloc":
            yield "calloc", thread, number(result), 0, given[0] * given[1]
        else:
            yield name, thread, number(result), 0, given[0]


def csapp(text: str) -> Iterator[Row]:
    """Read a .rep file; each ID stands for an address."""
    for line in text.splitlines()[4:]:
        call, at, *size = line.split()
        request = int(size[0]) if size else 0
        name = {"a": "malloc", "r": "realloc", "f": "free"}[call]
        yield name, "", int(at) + 1, int(at) + 1, request


ROWS: dict[str, Callable[[str], Iterator[Row]]] = {
    "mtrace": mtrace,
    "lttng": lttng,
    "valgrind": valgrind,
    "logalloc": logalloc,
    "ltrace": ltrace,
    "csapp": csapp,
}


def read_format_plainly(form: str, content: bytes) -> Plain:
    """The result of a format's simple reader."""
    if form == "aosp":
        return read_plainly(content)
    plain = Plain()
    if form in RECORDS:
        rows = RECORDS[form](content)
    else:
        rows = ROWS[form](content.decode(errors="replace"))
    for row in rows:
        plain.call(*row)
    # In a munged log, which has #SLOT for an address, a slot without an object stands for NULL.
    if form == "logalloc" and b"#" in content:
        plain.dropped["free of NULL"] += plain.dropped.pop("free of unknown", 0)
        plain.dropped.pop("realloc of unknown", 0)
    return plain
