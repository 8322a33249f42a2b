"""Job files: the bundled ones load; an error names the file and the key."""

from pathlib import Path
from typing import Any

import pytest

from allocsim.errors import AllocsimError, InputError, JobError, UnknownName
from allocsim.events import no_events
from allocsim.generators.random import Random
from allocsim.jobs import (
    KINDS,
    MAX_JOB_FILE,
    bundled_jobs,
    bundled_traces,
    bundled_workloads,
    find_job,
    find_trace,
    make_generator,
    opening_comment,
    read_job,
)
from allocsim.quantities import Size
from tests.conftest import REPOSITORY

NAMES = [path.stem for path in bundled_jobs()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A job file to write."""
    return tmp_path / "my-job.toml"


def test_bundled_jobs_are_those_of_the_repository() -> None:
    assert sorted((REPOSITORY / "workloads").glob("*.toml")) == bundled_jobs()
    assert bundled_workloads() == REPOSITORY / "workloads"
    assert {"random", "repeat", "server"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_bundled_job_loads_and_has_events(name: str) -> None:
    generator = read_job(find_job(name))
    assert generator.seed == 1
    assert len(next(generator.events())) > 0


@pytest.mark.parametrize("name", NAMES)
def test_bundled_job_opens_with_a_paragraph(name: str) -> None:
    comment = opening_comment(find_job(name))
    assert len(comment.split()) >= 25
    assert comment.endswith((".", "?"))
    assert "#" not in comment
    assert "kind =" not in comment


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_bytes(b'\xef\xbb\xbfkind = "random"\nops = 5\n')
    assert isinstance(read_job(path), Random)


def test_bundled_jobs_are_of_every_kind() -> None:
    kinds = {read_job(path).trace("x").description["kind"] for path in bundled_jobs()}
    assert kinds == set(KINDS)


def test_opening_comment_ends_at_the_first_other_line(path: Path) -> None:
    path.write_text("# One\n#  two.\n\n# not this\nkind = 'random'\n")
    assert opening_comment(path) == "One two."
    path.write_text("kind = 'random' # not this\n")
    assert opening_comment(path) == ""


def test_bundled_trace_is_found_by_its_name() -> None:
    assert list(bundled_traces()) == ["sqlite-orders"]
    assert bundled_traces()["sqlite-orders"]
    assert find_trace("sqlite-orders") == str(bundled_workloads() / "sqlite-orders.txt.gz")


def test_name_of_no_bundled_trace_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_trace("./sqlite-orders") == "./sqlite-orders"
    assert find_trace("nothing") == "nothing"
    assert find_trace("sqlite-order*") == "sqlite-order*"
    Path("sqlite-orders").write_text("")
    assert find_trace("sqlite-orders") == "sqlite-orders"


@pytest.mark.parametrize("find", [find_trace, find_job], ids=["trace", "job"])
def test_name_that_is_too_long_is_an_error_of_allocsim(find: Any) -> None:
    try:
        assert str(find("a" * 300)) == "a" * 300
    except AllocsimError as refusal:
        assert "aaa" in str(refusal)  # noqa: PT017


@pytest.mark.parametrize("name", ["x.toml", "d/x", "./random", "/random.toml"])
def test_name_with_a_slash_or_suffix_is_a_path(name: str) -> None:
    assert find_job(name) == Path(name)


def test_error_for_an_unknown_job_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"unknown workload 'servr' \(did you mean 'server'"):
        find_job("servr")


SIZE = {"distribution": "fixed", "bytes": 8}


def test_parameters_make_a_generator() -> None:
    made = make_generator({"kind": "random", "ops": 7, "size": {"distribution": "log-uniform"}})
    assert made == Random(ops=7)


@pytest.mark.parametrize(
    ("given", "size"),
    [(8, 8), ("8", 8), ("64KiB", 65536), ("64kB", 64000), (Size(9), 9), (0, 0), (1 << 47, 1 << 47)],
    ids=repr,
)
def test_size_is_a_number_or_a_text(given: Any, size: int) -> None:
    made = make_generator({"kind": "repeat", "sizes": [given]})
    assert made.sizes == (size,)  # type: ignore[attr-defined]


def test_given_parameters_are_not_changed() -> None:
    given = {"kind": "random", "ops": 7}
    make_generator(given)
    assert given == {"kind": "random", "ops": 7}


WRONG: dict[str, tuple[str, str]] = {
    "unknown key": ('kind = "random"\noops = 5', "`oops`"),
    "unknown key inside": (
        'kind = "random"\nsize = { distribution = "fixed", bytes = 8, byte = 1 }',
        r"`byte` - at `\$.size`",
    ),
    "key of another kind": ('kind = "random"\nrounds = 5', "`rounds`"),
    "key of another law": (
        'kind = "random"\nsize = { distribution = "fixed", bytes = 8, max = 9 }',
        "`max`",
    ),
    "text for a count": ('kind = "random"\nops = "many"', r"\$.ops"),
    "text of digits for a count": ('kind = "random"\nops = "5"', r"\$.ops"),
    "fraction for a count": ('kind = "random"\nops = 1.5', r"\$.ops"),
    "bool for a count": ('kind = "random"\nops = true', r"\$.ops"),
    "list for a count": ('kind = "random"\nops = [1]', r"\$.ops"),
    "date for a count": ('kind = "random"\nops = 1979-05-27', r"\$.ops"),
    "no steps": ('kind = "random"\nops = 0', r"\$.ops"),
    "negative steps": ('kind = "random"\nops = -1', r"\$.ops"),
    "too many steps": ('kind = "random"\nops = 1_000_000_000_000_001', r"\$.ops"),
    "steps of 30 digits": ('kind = "random"\nops = ' + "9" * 30, r"\$.ops"),
    "no slots": ('kind = "random"\nslots = 0', r"\$.slots"),
    "too many slots": ('kind = "random"\nslots = 2_147_483_649', r"\$.slots"),
    "no threads": ('kind = "random"\nthreads = 0', r"\$.threads"),
    "too many threads": ('kind = "random"\nthreads = 65537', r"\$.threads"),
    "negative seed": ('kind = "random"\nseed = -1', r"\$.seed"),
    "seed too large": ('kind = "random"\nseed = 4611686018427387905', r"\$.seed"),
    "size as a number": ('kind = "random"\nsize = 8', r"\$.size"),
    "law without a name": ('kind = "random"\nsize = { bytes = 8 }', "distribution"),
    "unknown law": ('kind = "random"\nsize = { distribution = "normal" }', "normal"),
    "law without its size": ('kind = "random"\nsize = { distribution = "fixed" }', "`bytes`"),
    "bad size": (
        'kind = "random"\nsize = { distribution = "fixed", bytes = "8 potatoes" }',
        r"invalid size '8 potatoes'.*\$.size.bytes",
    ),
    "negative size": (
        'kind = "random"\nsize = { distribution = "fixed", bytes = -8 }',
        r"invalid size '-8'.*\$.size.bytes",
    ),
    "size too large": (
        'kind = "random"\nsize = { distribution = "fixed", bytes = "129TiB" }',
        r"too large.*\$.size.bytes",
    ),
    "size of 5,000 digits": (
        f'kind = "random"\nsize = {{ distribution = "fixed", bytes = "{"9" * 5000}" }}',
        r"\$.size.bytes",
    ),
    "bool for a size": (
        'kind = "random"\nsize = { distribution = "fixed", bytes = true }',
        r"expected a size, as in 65536 or \"64KiB\"; found True",
    ),
    "fraction for a size": (
        'kind = "random"\nsize = { distribution = "fixed", bytes = 1.5 }',
        "found 1.5",
    ),
    "bounds in the wrong order": (
        'kind = "random"\nsize = { distribution = "uniform", min = 9, max = 8 }',
        "min = 9, max = 8: expected 0 <= min <= max < 4GiB",
    ),
    "no sizes": ('kind = "repeat"\nsizes = []', r"\$.sizes"),
    "bad size in a list": ('kind = "repeat"\nsizes = [1, "x"]', r"invalid size 'x'.*\$.sizes\[1\]"),
    "no population": ('kind = "server"', "`population`"),
    "empty population": ('kind = "server"\npopulation = []', r"\$.population"),
    "population without weight": (
        'kind = "server"\n[[population]]\nslots = 5\nsize = { distribution = "uniform" }',
        r"`weight` - at `\$.population\[0\]`",
    ),
    "no phase": ('kind = "phases"', "`phase`"),
    "share beyond 1": ('kind = "phases"\n[[phase]]\nfree = 1.1', r"\$.phase\[0\].free"),
    "negative share": ('kind = "phases"\n[[phase]]\nfree = -0.1', r"\$.phase\[0\].free"),
    "share nan": ('kind = "phases"\n[[phase]]\nfree = nan', r"\$.phase\[0\].free"),
    "share inf": ('kind = "phases"\n[[phase]]\nfree = inf', r"\$.phase\[0\].free"),
    "unknown order": ('kind = "phases"\n[[phase]]\norder = "x"', r"\$.phase\[0\].order"),
    "phase without size": ('kind = "phases"\n[[phase]]\nallocate = 5', "phase 1 .* has no size"),
    "phase of too many objects": ('kind = "phases"\n[[phase]]\nallocate = 134217729', "allocate"),
    "sweep in the wrong order": ('kind = "sweep"\nfirst = 9\nlast = 8', "first = 9, last = 8"),
    "sweep without step": ('kind = "sweep"\nstep = 0', "step = 0"),
    "sweep of too many objects": ('kind = "sweep"\nobjects = 16777217', "objects = 16777217"),
    "no kind": ("ops = 5", 'a job needs a kind, as in kind = "random"; expected one of: random'),
    "empty": ("", "a job needs a kind"),
    "kind as a number": ("kind = 5", "a job needs a kind"),
    "unknown kind": (
        'kind = "rendom"',
        r"unknown kind of workload 'rendom' \(did you mean 'random'",
    ),
    "not TOML": ("this is no TOML", "not TOML"),
    "truncated": ('kind = "rand', "not TOML"),
    "key twice": ('kind = "random"\nkind = "random"', "not TOML"),
    "number of 5,000 digits": ('kind = "random"\nops = ' + "9" * 5000, "not TOML"),
    "deeply nested": ('kind = "random"\nops = ' + "[" * 5000, "not TOML"),
    # The error depends on the recursion limit, which other libraries change.
    "deeply nested and closed": (
        'kind = "random"\nops = ' + "[" * 5000 + "]" * 5000,
        "not TOML|Expected `int`",
    ),
    "deep key": ("a." * 128 + "a = 1", "a key of more than 128 parts"),
    "deep key of quoted parts": (
        '"a,=" . ' * 64 + '\'b"\' . "\\"" . ' * 32 + "a = 1",
        "a key of more than 128 parts",
    ),
    "key of 128 parts": ("a." * 127 + "a = 1", "a job needs a kind"),
    "too large": ("#" * (MAX_JOB_FILE + 1), "larger than 1 MiB"),
}


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=WRONG)
def test_wrong_job_is_an_error_that_names_file_and_key(path: Path, text: str, reason: str) -> None:
    path.write_text(text)
    with pytest.raises(JobError, match=reason) as refusal:
        read_job(path)
    assert str(refusal.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"\0" * 100, b"\x7fELF\x02\x01", b"\x80", b'kind = "random"\n#\xff\n'],
    ids=repr,
)
def test_binary_job_is_an_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JobError, match=r"my-job\.toml: not TOML"):
        read_job(path)


def test_job_of_the_maximum_size_is_read(path: Path) -> None:
    text = 'kind = "random"\n'
    path.write_text(text + "#" * (MAX_JOB_FILE - len(text)))
    assert read_job(path) == Random()


def test_missing_job_is_an_error(path: Path) -> None:
    with pytest.raises(JobError, match=r"my-job\.toml: No such file"):
        read_job(path)


def test_directory_is_not_a_job(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="Is a directory"):
        read_job(tmp_path)


def test_error_lists_the_keys_of_the_kind() -> None:
    with pytest.raises(InputError, match="the keys of kind 'pipeline' are: seed, ops, depth, size"):
        make_generator({"kind": "pipeline", "slots": 5})


@pytest.mark.parametrize("kind", [None, 5, ["random"], {}], ids=repr)
def test_kind_that_is_not_a_text_is_an_error(kind: Any) -> None:
    with pytest.raises(InputError, match="a job needs a kind"):
        make_generator({"kind": kind})


def test_huge_sweep_can_start(path: Path) -> None:
    """The length of this sweep exceeds 64 bits."""
    path.write_text('kind = "sweep"\nobjects = 1\nrounds = 1_000_000_000_000_000\nlast = "128TiB"')
    generator = read_job(path)
    assert (generator.length() or 0) > 1 << 63
    assert len(next(generator.events())) > len(no_events())
