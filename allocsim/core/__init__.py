"""The machinery of allocators. This is the overview; every other file says only its own point.

The structures, bottom to top:

    Reservation   a range of address space from mmap; nothing in it ever moves          (memory)
    trivial       hands out fresh pages of it, and books what the records cost          (trivial)
    page map      page number -> span, four levels of 13 bits                           (pagemap)
    span          a run of pages: in use by one class or one object, or free            (spans)
    page heap     free spans by length: best fit, cut to length                 (splitting_pages)
    refill        a fresh span carved into objects of one class                    (chunk_refill)
    thread lists  each thread's free objects by class, linked through themselves   (thread_lists)

malloc of a small size, step by step:

  1. The size is rounded up to one of the size classes by shifts, and the newest object is popped
     off the thread's list of that class. Nothing is shared and nothing is searched.
  2. If the list is empty, a refill takes a span that fills it: one in up to 1024 calls pays. The
     chunk's links are written only when resident bytes are asked for: until then nobody can tell.
  3. The page heap looks for the shortest free span that is long enough, and cuts it to length;
     the rest goes back on a list. There are few lengths, so this is a short walk.
  4. If there is none, the trivial allocator hands out at least 1 MiB of fresh pages, which are
     entered in the page map: the cost is shared by all that will be cut from them.

free of a small object: the page map gives its span, the span its class and whether the address is
the start of an object; the object is cleared and pushed on the list of the thread that frees it.
That list may be another's than malloc popped it from: memory wanders with its frees.

A large object has a span of its own: malloc starts at step 3, free clears the pages and puts the
span back. Stack segments are such spans too, of a kind that free does not accept.

Kernels take the heap's state, a NamedTuple of record arrays (`records`), and return an address or
a Status (`operations`); they never raise, print or allocate. A design (`allocsim.designs`) wires
the stages: its kernels answer the operations, chosen by the type of the state when the caller is
compiled. `check` proves the invariants of all of it, in plain Python.
"""
