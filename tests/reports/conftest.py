"""Fixtures for the reports: one small run for all tests, which only read it."""

import pytest

from allocsim.reports import Result
from tests.reports.results import empty_result, small_result


@pytest.fixture(scope="package")
def result() -> Result:
    """A small run."""
    return small_result()


@pytest.fixture(scope="package")
def nothing() -> Result:
    """A run without an event."""
    return empty_result()
