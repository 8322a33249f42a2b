"""`allocsim trace cut` and `sample`: a slice of a trace, or a share of its objects."""

from pathlib import Path

from tests.cli.conftest import File, Run, info


def test_cut_writes_a_slice(run: Run, text: Path) -> None:
    ended = run("trace cut mine.txt out.allocsim --from 1 --to 5")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err == (
        "note: dropped by the cut: born before the cut (1)\n"
        "note: dropped or repaired in the whole trace: free of NULL (1), free of unknown (1)\n"
        "wrote out.allocsim: 3 events, 12.0 KiB\n"
    )
    found = info(run, "out.allocsim")
    assert (found["events"], found["dropped"]) == (3, {})
    assert run("trace check out.allocsim --strict").status == 0


def test_sample_writes_a_share_of_the_objects(run: Run, file: File) -> None:
    lines = [f"1: malloc 0x{16 * n:x} {n}\n1: free 0x{16 * n:x}\n" for n in range(1, 200)]
    file("many.txt", "".join(lines))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        line = f"trace sample many.txt {name}.allocsim --keep 1/4 --seed {seed}"
        assert run(line).status == 0
    a, b, c = (Path(f"{name}.allocsim").read_bytes() for name in "abc")
    assert a == b != c
    found = info(run, "a.allocsim")
    assert found["allocations"] == found["frees"]
    assert 25 < int(str(found["allocations"])) < 75
    assert run("trace sample many.txt all.allocsim --keep 1").status == 0
    assert info(run, "all.allocsim")["events"] == 398
