"""Fixtures for the reports: one small run, which all tests share and do not change."""

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
