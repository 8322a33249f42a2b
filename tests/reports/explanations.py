"""An explanation with stacks, made without a replay."""

import random

import numpy as np

from allocsim.explanation.explanation import Explanation
from allocsim.explanation.shares import share_out
from allocsim.explanation.stacks import Stacks, stacks_of
from allocsim.moments import Moment
from tests.call_sites.stacks import SITES, random_table
from tests.explanation.test_shares import random_map


def random_stacks(seed: int) -> Stacks:
    """Return the stacks of 40 objects at random sites."""
    rng = random.Random(seed)
    heap = random_map(rng, 40, 8)
    sites = np.array([rng.randrange(SITES) for _ in range(40)])
    return stacks_of(heap, share_out(heap), sites, random_table(seed))


def explanation_of(stacks: Stacks, subject: str = "lib:glibc") -> Explanation:
    """Return an explanation with these stacks and without other results."""
    moment = Moment("worst", 7, sum(row["owned"] for _, row in stacks.rows()), 0)
    return Explanation(subject, "page", (moment,), moment, {}, [], {}, [], [], [], stacks)
