"""Wrong usage and unusable files: exit status 2, and a message that names the error."""

import pytest

from tests.cli.conftest import File, Run

USAGE: dict[str, tuple[str, str]] = {
    "no command": ("", "Usage: allocsim"),
    "unknown command": ("rnadom", "No such command 'rnadom'. Did you mean 'random'?"),
    "unknown option": ("random --opps 5", "No such option '--opps'. Did you mean '--ops'?"),
    "beginning of an option": ("check x --max-foot 5", "Did you mean '--max-footprint'?"),
    "option like no other": ("run server --zzz", "No such option '--zzz'.\n"),
    "option of other commands": ("run --ops 5", "It is an option of empirical, random.\n"),
    "option of a trace command": ("trace info x --from 5", "It is an option of trace cut.\n"),
    "option of many commands": (
        "trace info x --design go",
        "It is an option of empirical, random, repeat, replay and others.\n",
    ),
    "unknown design": (
        "random --design go2009",
        "'go2009' (did you mean 'go2008'?)",
    ),
    "unknown parameter": ("random --set cache=5", "go2008 has no parameters"),
    "startup without its name": (
        "random --design tcmalloc --set startup=linked",
        "startup=linked: expected one of preload, dlopen, none",
    ),
    "parameter of tcmalloc out of range": (
        "random --design tcmalloc --set release_rate=1001",
        "release_rate=1001: expected 0 to 1,000",
    ),
    "setting without value": ("random --set cache", "is not a setting: expected KEY=VALUE"),
    "setting of sizeclass-check": ("sizeclass-check --set x=1", "has no parameters"),
    "design of sizeclass-check": ("sizeclass-check --design x", "unknown design 'x'"),
    "unknown touch": ("random --touch all", "'all' is not one of"),
    "no ops": ("random --ops 0", "'0' is out of range; expected 1 to"),
    "negative ops": ("random --ops -5", "'-5' is out of range; expected 1 to"),
    "ops in words": ("random --ops many", "invalid number 'many'"),
    "option without value": ("random --ops", "requires an argument"),
    "no slots": ("random --slots 0", "'0' is out of range; expected 1 to"),
    "too many threads": ("random --threads 65537", "'65537' is out of range; expected 1 to 65536"),
    "negative seed": ("random --seed -1", "'-1' is out of range; expected 0 to"),
    "seed too large": ("random --seed 2^63", "is out of range; expected 0 to"),
    "negative size": ("repeat --size -1", "invalid size '-1'"),
    "size in words": ("repeat --size big", "invalid size 'big'"),
    "size of 128 TiB and more": ("repeat --size 129TiB", "too large; expected at most 128TiB"),
    "size of 30 digits": ("repeat --size " + "9" * 30, "too large; expected at most 128TiB"),
    "size of 5,000 digits": ("repeat --size " + "9" * 5000, "size"),
    "limit of 5,000 digits": ("repeat --limit " + "9" * 5000, "size"),
    "setting of 5,000 digits": ("repeat --set a=" + "9" * 5000, "has no parameters"),
    "size beyond the reserve": (
        "repeat --size 65GiB",
        "--reserve of 68719476736",
    ),
    "size beyond a small reserve": (
        "repeat --size 2M --reserve 1M",
        "--reserve of 1048576 bytes",
    ),
    "--max-size above 4 GiB": (
        "random --max-size 5GiB",
        "expected 0 B to 4.0 GiB",
    ),
    "--max-size of 0": ("random --max-size 0", "--max-size: log-uniform sizes need a maximum"),
    "no reserve": ("random --reserve 0", "reserve is 0 bytes; expected 1 MiB to 32 TiB"),
    "reserve beyond 32 TiB": ("random --reserve 33TiB", "expected 1 MiB to 32 TiB"),
    "negative limit": ("random --limit -1", "invalid size '-1'"),
    "every 0": ("random --every 0", "'0' is out of range; expected 1 to"),
    "check every 0": ("random --check-every 0", "'0' is out of range; expected 1 to"),
    "unknown job": ("run servr", "unknown workload 'servr' (did you mean 'server'?)"),
    "missing job": ("run gone.toml", "gone.toml: No such file"),
    "job that is a directory": ("run ./", "Is a directory"),
    "job of 300 letters": ("run " + "a" * 300, "aaaa"),
    "job file of 300 letters": ("run " + "a" * 300 + ".toml", "File name too long"),
    "missing trace": ("replay gone.txt", "gone.txt: No such file"),
    "trace that is a directory": ("replay .", "is a directory; a trace directory of LTTng"),
    "trace of 300 letters": ("replay " + "a" * 300, "aaaa"),
    "threads of a trace": ("replay x --threads 5", "'5' is not one of"),
    "two traces": ("replay a b", "unexpected extra argument"),
    "unknown list": ("list thing", "'thing' is not one of"),
    "parameter of tcmalloc in words": (
        "random --design tcmalloc --set release_rate=fast",
        "release_rate=fast: expected 0 to 1,000",
    ),
    "recording as a job": ("run sqlite-orders", "use `allocsim replay sqlite-orders`"),
    "job as a recording": ("replay server", "use `allocsim run server`"),
    "two workloads to compare": ("compare server repeat", "'server' is not a saved result"),
    "setting of a subject": ("compare server --on tcmalloc:rate=3", "unknown parameter"),
    "value of a subject's setting": (
        "compare server --on tcmalloc:release_rate=-1",
        "release_rate=-1: expected 0 to 1,000",
    ),
    "setting named like a parameter of Heap": (
        "random --design tcmalloc --set reserve=5",
        "unknown parameter of",
    ),
    "setting named self": ("random --design tcmalloc --set self=5", "unknown parameter"),
    "library as a design": (
        "random --design lib:x",
        "is a library, not a design; use `allocsim compare",
    ),
    "name of a library as a design": ("random --design jemalloc", "--on lib:jemalloc"),
    "no setting of a subject": ("compare server --on tcmalloc:fast", "expected KEY=VALUE"),
    "export to a directory": ("random --export-csv .", "is a directory"),
    "two exports to a file": ("random --export-json x --export-csv x", "given for two exports"),
    "export without a name": ("random --export-csv ''", "the name of a file to write is empty"),
    "picture without a name": ("random --html ''", "the name of a file to write is empty"),
    "stacks without a name": ("explain random --pprof ''", "the name of a file to write is empty"),
    "table without a name": (
        "tune random --design tcmalloc --out ''",
        "the name of a file to write is empty",
    ),
    "export to a directory that does not exist": (
        "random --export-csv gone/",
        "'gone/' is a directory; expected a file to write",
    ),
    "export to nowhere": ("random --export-csv gone/x", "no such directory"),
}


@pytest.mark.parametrize(("line", "message"), USAGE.values(), ids=USAGE)
def test_wrong_usage_is_2(run: Run, line: str, message: str) -> None:
    ended = run(line)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


@pytest.mark.parametrize(
    "line",
    [
        "random --limit {}",
        "explain random --at {}",
        "compare random --on tcmalloc:startup={}",
        "{}",
    ],
)
def test_long_value_is_cut_in_a_message(run: Run, line: str) -> None:
    ended = run(line.format("9" * 5000))
    assert ended.status == 2
    assert "9" * 60 in ended.err
    assert len(ended.err) < 700


def test_rows_and_exports_of_a_sweep_are_different_files(run: Run) -> None:
    ended = run("sweep random --on go2008 --out rows --export-csv ./rows")
    assert ended.status == 2
    assert "'./rows' is given for two exports" in ended.err


FILES: dict[str, tuple[str, str, str]] = {
    "unknown key": ("my.toml", 'kind = "random"\noops = 5', "`oops`"),
    "no TOML": ("my.toml", "plain text", "my.toml: not TOML"),
    "unknown kind": ("my.toml", 'kind = "rendom"', "did you mean 'random'"),
    "no kind": ("my.toml", "", "a job needs a kind"),
    "phase without a size": (
        "my.toml",
        'kind = "phases"\n[[phase]]\nallocate = 5',
        "phase 1 allocates objects, but it has no size",
    ),
    "empty trace": ("my.txt", "", "my.txt: the trace is empty"),
    "binary trace": ("my.txt", "\x7fELF\0\0", "my.txt: unknown format, found '\\x7fELF"),
}


@pytest.mark.parametrize(
    ("line", "first"),
    [("", "Usage: allocsim [OPTIONS] COMMAND"), ("trace", "Usage: allocsim trace [OPTIONS]")],
)
def test_group_without_a_command_prints_its_help(run: Run, line: str, first: str) -> None:
    ended = run(line)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith(first)
    assert ended.err.count("Usage:") == 1
    assert "Commands:" in ended.err
    assert "Error:" not in ended.err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    FILES.values(),
    ids=FILES,
)
def test_unusable_file_is_2(run: Run, file: File, name: str, text: str, message: str) -> None:
    file(name, text)
    ended = run(f"{'run' if name.endswith('toml') else 'replay'} {name}")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("allocsim: error: my.")
    assert message in ended.err


def test_broken_line_1000_is_2_and_named(run: Run, file: File) -> None:
    file("my.txt", "1: malloc 0x10 5\n1: free 0x10\n" * 499 + "1: free 0x10\n1: oops\n")
    ended = run("replay my.txt")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("allocsim: error: my.txt, line 1000: found '1: oops', expected TID")
