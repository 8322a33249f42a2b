"""Code that all generators share: stable random bits, choices, and the trace."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.generators import Generator, pick, random_bits
from allocsim.jobs import KINDS, bundled_workloads, make_generator
from tests.conftest import SCALE

WORDS = st.integers(0, 2**64 - 1)

REQUIRED: dict[str, dict[str, Any]] = {
    "server": {
        "population": [{"weight": 1, "slots": 5, "size": {"distribution": "fixed", "bytes": 8}}]
    },
    "phases": {"phase": [{"allocate": 5, "size": {"distribution": "fixed", "bytes": 8}}]},
    "empirical": {"file": str(bundled_workloads() / "sqlite-orders.csv")},
}
"""Required parameters of a kind."""


def test_bits_are_the_same_on_every_machine() -> None:
    first = random_bits(np.random.PCG64(1), 3)
    assert [f"{word:x}" for word in first.tolist()] == PCG64_SEED_1


PCG64_SEED_1 = ["8306bdf37922e4ff", "f35196bbc152a866", "24e7a4f608ec18cd"]


@given(WORDS, st.integers(1, 2**32))
def test_choice_scales_the_low_32_bits(word: int, count: int) -> None:
    (chosen,) = pick(np.array([word], np.uint64), count).tolist()
    assert chosen == (word % 2**32) * count >> 32
    assert 0 <= chosen < count


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_choices_are_about_equally_likely(count: int) -> None:
    total = 10_000
    chosen = pick(random_bits(np.random.PCG64(5), total), count)
    shares = np.bincount(chosen, minlength=count)
    expected = total / count
    assert len(shares) == count
    assert abs(shares - expected).max() < 6 * expected**0.5 + 1


@pytest.mark.parametrize("kind", KINDS)
def test_trace_has_the_kind_the_seed_the_length_and_the_parameters(kind: str) -> None:
    generator = make_generator({"kind": kind, "seed": 9, **REQUIRED.get(kind, {})})
    trace = generator.trace("mine")
    assert (trace.name, trace.seed, trace.length) == ("mine", 9, generator.length())
    assert trace.description["kind"] == kind
    assert set(trace.description) == {"kind", *generator.__struct_fields__}
    assert msgspec.json.encode(trace.description)
    assert len(next(trace.chunks)) > 0
    assert (trace.dropped, trace.notes) == ({}, [])


@pytest.mark.parametrize("kind", KINDS)
def test_description_makes_the_same_generator(kind: str) -> None:
    generator = make_generator({"kind": kind, "seed": 9, **REQUIRED.get(kind, {})})
    description = msgspec.json.encode(generator.trace("mine").description)
    assert make_generator(msgspec.json.decode(description)) == generator


def test_bare_generator_has_no_events_and_no_length() -> None:
    assert Generator().length() is None
    with pytest.raises(NotImplementedError):
        Generator().events()


def test_stream_of_bits_does_not_depend_on_how_it_is_split() -> None:
    whole = random_bits(np.random.PCG64(3), 100 * SCALE)
    source = np.random.PCG64(3)
    parts = [random_bits(source, count) for count in (1, 2, 97 * SCALE, 3 * SCALE - 3)]
    assert np.concatenate(parts).tolist() == whole.tolist()
