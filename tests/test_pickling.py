"""Pickling: results and errors can be sent to another process; a stream of events cannot."""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

import allocsim
from allocsim.errors import InputError, UnknownName

JOB = {"kind": "random", "ops": 90, "slots": 20, "threads": 3}


def test_results_can_be_pickled() -> None:
    profile = allocsim.replay(JOB)
    again = pickle.loads(pickle.dumps(profile))
    assert again.as_dict() == profile.as_dict()
    assert repr(again) == repr(profile)
    compared = allocsim.compare(JOB, on="go2008", times=False)
    assert pickle.loads(pickle.dumps(compared)).as_dict() == compared.as_dict()
    with pytest.raises(InputError, match="have been read and cannot be read again"):
        allocsim.replay(again.trace)


def test_trace_with_its_events_cannot_be_pickled() -> None:
    trace = allocsim.workload(JOB)
    for loses in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="before its events have been read; open it again"):
            loses(trace)
    assert allocsim.replay(trace).events > 0


def test_error_in_a_worker_reaches_its_parent() -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        lost = pool.submit(allocsim.replay, JOB, "no-such-design")
        with pytest.raises(UnknownName, match="unknown design 'no-such-design'"):
            lost.result()
