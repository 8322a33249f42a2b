"""Site numbers: one for each allocating event, in the order of the events."""

import pickle

import pytest

from allocsim.call_sites.numbers import LAST_ALLOCATING, CallSites
from allocsim.call_sites.table import SiteTable
from allocsim.events import Op
from tests.call_sites.stacks import random_table
from tests.driving import Call, free, malloc, realloc, stream


def test_events_that_allocate_are_those_up_to_realloc() -> None:
    assert LAST_ALLOCATING == Op.REALLOC


def test_numbers_are_found_whatever_the_chunks() -> None:
    sites = CallSites()
    sites.put([1, 2])
    sites.put([])
    sites.put([3, 4, 5])
    assert sites.take(0).tolist() == []
    assert sites.take(1).tolist() == [1]
    assert sites.take(3).tolist() == [2, 3, 4]
    assert sites.take(1).tolist() == [5]
    with pytest.raises(IndexError):
        sites.take(1)


def test_put_copies_the_numbers() -> None:
    sites, numbers = CallSites(), [1]
    sites.put(numbers)
    numbers[0] = 2
    assert sites.take(1).tolist() == [1]


def test_frees_and_notes_have_no_site() -> None:
    sites = CallSites()
    sites.put([7, 8, 9])
    events = stream(malloc(0, 1), free(0), Call(Op.FREEZE), malloc(1, 1), realloc(1, 2))
    assert sites.of(events).tolist() == [7, 0, 0, 8, 9]


def test_discarded_numbers_are_gone() -> None:
    sites = CallSites()
    sites.put([7])
    sites.discard()
    sites.put([8])
    assert sites.take(1).tolist() == [8]


def test_table_is_made_once_when_it_is_first_used() -> None:
    sites, made = CallSites(), list[SiteTable]()

    def make() -> SiteTable:
        """Make a table."""
        made.append(random_table(len(made)))
        return made[-1]

    sites.make_table_later(make)
    sites.put([1])
    assert sites.take(1).tolist() == [1]
    assert made == []
    assert sites.table is sites.table is made[0]
    assert len(made) == 1


def test_pickled_sites_have_the_table_that_was_not_made_yet() -> None:
    sites = CallSites()
    sites.make_table_later(lambda: random_table(7))
    copy = pickle.loads(pickle.dumps(sites))
    assert copy.table.stack(5) == random_table(7).stack(5)
