"""A library whose functions do nothing."""

from allocsim.core import operations
from allocsim.libraries.idle import idle_library


def test_every_function_returns_the_same_address() -> None:
    heap = idle_library()
    address = operations.malloc(heap, 0, 100)
    assert address
    assert operations.calloc(heap, 0, 5) == operations.memalign(heap, 0, 64, 9) == address
    assert operations.realloc(heap, 0, address, 5000) == address
    assert operations.free(heap, 0, address) == 0
