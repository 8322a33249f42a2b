"""The scan of resident anonymous pages finds exactly the pages that were written to."""

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from allocsim.benchmark.page_scan import PageScan, _mappings
from allocsim.core.memory import OS_PAGE

PAGES = 64


@pytest.fixture
def mapping() -> Iterator[mmap.mmap]:
    """Fresh pages, none of which is resident."""
    pages = mmap.mmap(-1, PAGES * OS_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_NOHUGEPAGE)
    yield pages
    pages.close()


@pytest.fixture(params=["ioctl", "flags"])
def scan(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PageScan:
    """A scan with PAGEMAP_SCAN, and a scan for older kernels."""
    scan = PageScan()
    if request.param == "flags":
        monkeypatch.setattr(scan, "_scan", lambda *_: -1)
    scan.take()
    if request.param == "ioctl" and not scan.is_exact:
        pytest.skip("this kernel has no PAGEMAP_SCAN")
    assert scan.is_exact == (request.param == "ioctl")
    return scan


def test_written_pages_are_found_and_no_other_page_of_the_mapping(
    scan: PageScan, mapping: mmap.mmap
) -> None:
    written = [0, 1, 2, 7, 40, 63]
    for page in written:
        mapping[page * OS_PAGE] = 1
    scan.take()
    view = np.frombuffer(mapping, np.uint8)
    first = view.ctypes.data // OS_PAGE
    del view
    pages = scan.pages()
    assert np.all(np.diff(pages) > 0)
    mine = pages[(pages >= first) & (pages < first + PAGES)] - first
    assert mine.tolist() == written


def test_pages_that_were_only_read_are_not_found(mapping: mmap.mmap) -> None:
    scan = PageScan()
    assert mapping[5 * OS_PAGE] == 0  # maps the zero page
    scan.take()
    if not scan.is_exact:
        pytest.skip("this kernel has no PAGEMAP_SCAN")
    view = np.frombuffer(mapping, np.uint8)
    first = view.ctypes.data // OS_PAGE
    del view
    assert not ((scan.pages() >= first) & (scan.pages() < first + PAGES)).any()


def test_mapping_of_a_file_whose_name_is_no_utf_8_is_listed(tmp_path: Path) -> None:
    file = tmp_path / "a\udcff b\r0-1\x1c2-3"
    file.write_bytes(bytes(OS_PAGE))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        view = np.frombuffer(mapped, np.uint8)
        start = view.ctypes.data
        del view
        assert (start, start + OS_PAGE) in {*_mappings()}
