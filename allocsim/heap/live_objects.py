"""The requested sizes of live objects, and their sum. Both stay valid if a call is interrupted."""

from __future__ import annotations


class LiveObjects:
    """The requested size of each live object of a heap, by its address, and the sum of the sizes.

    Ctrl-C raises KeyboardInterrupt between any two lines of Python. Therefore an object is added
    after the heap has allocated it, and removed before the heap frees it. An interrupted call can
    lose an object, but `total` never exceeds the bytes allocated in the heap.

    In some designs, all objects of 0 bytes have the same address. Each of them is counted.
    """

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._sharing: dict[int, int] = {}  # number of further objects at an address
        self.total = 0
        """Sum of the sizes, in bytes."""

    def __contains__(self, address: int) -> bool:
        return address in self._sizes

    def __getitem__(self, address: int) -> int:
        return self._sizes[address]

    def __len__(self) -> int:
        return len(self._sizes) + sum(self._sharing.values())

    def add(self, address: int, size: int) -> None:
        """Record an object of `size` bytes."""
        if size == 0 and self._sizes.get(address) == 0:
            self._sharing[address] = self._sharing.get(address, 0) + 1
        self._sizes[address] = size
        self.total += size

    def remove(self, address: int) -> int:
        """Forget an object and return its size in bytes."""
        if sharing := self._sharing.pop(address, 0):
            if sharing > 1:
                self._sharing[address] = sharing - 1
            return self._sizes[address]
        size = self._sizes.pop(address)
        self.total -= size
        return size

    def clear(self) -> None:
        """Forget every object."""
        self._sizes.clear()
        self._sharing.clear()
        self.total = 0
