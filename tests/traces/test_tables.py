"""The table of what is live is a dictionary, whatever goes in and out."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allocsim.traces.calls import ADDRESS_BITS
from allocsim.traces.tables import ENTRY, _home, enter_all, insert, remove, slot_of

keys = st.integers(1, 40).map(lambda n: 8 * n) | st.integers(1, (1 << ADDRESS_BITS) - 1)
steps = st.lists(st.tuples(st.sampled_from(["insert", "remove", "find"]), keys), max_size=120)


def table(slots: int) -> Any:
    """An empty table."""
    return np.zeros(slots, ENTRY).view(np.recarray)


@given(steps, st.sampled_from([64, 128]))
def test_table_is_a_dictionary(given_steps: list[tuple[str, int]], slots: int) -> None:
    ours, model = table(slots), dict[int, int]()
    for number, (what, key) in enumerate(given_steps):
        if what == "insert" and key not in model and len(model) < slots - 1:
            insert(ours, key, number)
            model[key] = number
        elif what == "remove":
            assert remove(ours, key) == model.pop(key, -1)
        slot = slot_of(ours, key)
        assert (int(ours[slot].number) if slot >= 0 else None) == model.get(key)
    entries = {int(e.key): int(e.number) for e in ours if e.key}
    assert entries == model
    for key in model:
        assert ours[slot_of(ours, key)].key == key


@given(st.lists(keys, max_size=31, unique=True))
def test_entries_are_all_in_the_larger_table(given_keys: list[int]) -> None:
    small, large = table(32), table(64)
    for number, key in enumerate(given_keys):
        insert(small, key, number)
    enter_all(large, small)
    for number, key in enumerate(given_keys):
        assert large[slot_of(large, key)].number == number
    assert np.count_nonzero(large.key) == len(given_keys)


@given(keys, st.sampled_from([4, 64, 1 << 17]))
def test_home_lies_in_the_table(key: int, slots: int) -> None:
    assert 0 <= _home(table(slots), key) < slots


def test_run_of_keys_with_one_home_loses_none_when_one_goes() -> None:
    wanted = _home(table(16), 8)
    same = [key for key in range(8, 4000, 8) if _home(table(16), key) == wanted][:6]
    assert len(same) == 6
    for gone in same:
        ours = table(16)
        for key in same:
            insert(ours, key, key)
        assert remove(ours, gone) == gone
        for key in same:
            slot = slot_of(ours, key)
            assert (slot < 0) == (key == gone)


def test_keys_that_lie_in_order_are_spread() -> None:
    homes = {int(_home(table(1024), 0x7F00_0000_0000 + 16 * i)) for i in range(512)}
    assert len(homes) > 250
