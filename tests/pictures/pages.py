"""Explanations with call sites, for tests of HTML pages."""

from functools import cache

from allocsim.benchmark.comparison import Conditions
from allocsim.call_sites.frame import Frame
from allocsim.call_sites.table import table_of_addresses
from allocsim.driver import Touch
from allocsim.events import Trace
from allocsim.explanation.explanation import explain
from allocsim.explanation.on_design import OnDesign
from allocsim.explanation.question import Question
from allocsim.pictures.explanation_page import Shown
from tests.call_sites.stacks import with_sites
from tests.driving import free, malloc

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>]]>\"'&\x1b[31m{{7*7}}"
"""A name that is markup in HTML, in attributes, in SVG and in CDATA."""

FRAMES = [
    Frame("main", "/src/app.cpp", 26, "/bin/app"),
    Frame("serve", "/src/app.cpp", 19, "/bin/app"),
    Frame(HOSTILE, "/src/</style><b>.cpp", 7, "/bin/app"),
]


def sited(count: int = 12, name: str = HOSTILE) -> Trace:
    """Return a trace in which two stacks allocate `count` objects; those of one are freed."""
    table = table_of_addresses([0, 0, 1, 1], [0, 0, 1, 2], [[frame] for frame in FRAMES])
    calls = [malloc(number, 100 * (number + 1)) for number in range(count)]
    calls += [free(number) for number in range(0, count, 2)]
    trace = with_sites(calls, table, [2 + number % 2 for number in range(count)])
    trace.name = name
    return trace


@cache
def shown(name: str = HOSTILE) -> Shown:
    """Return an explanation with snapshots."""
    conditions = Conditions(touch=Touch.NONE, reserve=1 << 30)
    subject = OnDesign("tcmalloc", lambda: sited(name=name), conditions)
    question = Question("end", ("site", "size"), seconds=1e6, pictures=True)
    return Shown(*explain(subject, question), "allocsim explain '<b>'")
