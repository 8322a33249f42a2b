"""The tables of a run: size classes, thread caches and library counters."""

from rich.console import Console
from rich.table import Table

from allocsim.designs import CacheUse, ClassUse
from allocsim.reports.run_tables import MAX_CACHES, caches_table, classes_table, native_table


def shown(table: Table) -> str:
    """Return the table on a wide terminal without colours."""
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_design_without_a_transfer_cache_has_one_column_of_free_objects() -> None:
    text = shown(classes_table([ClassUse(3, 32, 1, 1000, 24), ClassUse(4, 40, 0, 0, 0)]))
    assert "in transfer" not in text
    assert "1,000" in text
    assert "768 B" in text
    assert "40" not in text


def test_design_with_a_transfer_cache_has_a_column_for_each_tier() -> None:
    text = shown(classes_table([ClassUse(5, 64, 2, 100, 28, 64, 64, 16)]))
    row = next(line for line in text.splitlines() if " 64 " in line)
    assert row.split()[:8] == ["5", "64", "2", "100", "28", "64", "16", "64"]
    assert "9.8 KiB" in row


def test_fullest_caches_come_first_and_the_rest_is_counted() -> None:
    caches = [CacheUse(n, 1024 * n, 64 << 10) for n in range(MAX_CACHES + 5)]
    text = shown(caches_table(caches))
    assert f"the {MAX_CACHES} fullest of {MAX_CACHES + 5}" in text
    assert text.splitlines()[4].split()[0] == str(MAX_CACHES + 4)


def test_cache_of_the_startup_state_is_named() -> None:
    assert "before main()" in shown(caches_table([CacheUse(None, 0, 64 << 10)]))


def test_counters_have_the_names_of_the_library() -> None:
    assert "1,048,576" in shown(native_table({"generic.heap_size": 1 << 20}))


def test_design_without_a_library_says_so() -> None:
    assert "reproduces no library" in shown(native_table({}))
