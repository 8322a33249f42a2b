"""The machinery of allocators. This is the overview; every other file says only its own point.

The structures, bottom to top. Two designs are built of them; what stands on the left serves the
first Go malloc (`go2008`), on the right gperftools' (`tcmalloc`), in the middle both:

                         Reservation     a range of address space from mmap; nothing moves (memory)
                         trivial         hands out fresh pages of it
    pagemap              two_level_pagemap     page number -> span
    spans                linked_spans          a run of pages: of a class, of an object, or free
    splitting_pages      joining_pages, page_release     free runs: cut, joined, given back
    chunk_refill         central_lists         a span carved into objects of one class
                         transfer_slots        batches of objects on their way between threads
    thread_lists         bounded_caches, cache_budget    each thread's free objects, by class
    large_objects        large_runs            objects of whole pages

malloc of a small size, step by step:

  1. The size is rounded up to one of the size classes by shifts, or by a table, and the newest
     object is popped off the thread's list of that class. Nothing is shared, nothing is searched.
  2. If the list is empty, it is filled. go2008: a refill takes a span for it alone, so one in up
     to 1024 calls pays; its links are written only when resident bytes are asked for, since until
     then nobody can tell. tcmalloc: a batch comes from a transfer slot as it is, or else object by
     object from the spans of the class; a list is given more the more often it is empty.
  3. The page heap looks for the shortest free run that is long enough, and cuts it to length; the
     rest stays free. There are few lengths with a list of their own, so this is a short walk.
  4. If there is none, at least 1 MiB of fresh pages is taken and entered in the page map: the cost
     is shared by all that will be cut from it.

free of a small object: the page map gives its span or its class, and the object is pushed on the
list of the thread that frees it, which may be another's than malloc popped it from: memory wanders
with its frees. go2008 clears it, and keeps it there for good. tcmalloc sends a batch back when the
list is too long, trims the whole cache when it holds too much, gives a span whose last object came
back to the page heap, and pages to the operating system when enough were freed.

A large object has a span of its own: malloc starts at step 3, free puts the span back. Stack
segments are such spans too, of a kind that free does not accept.

Kernels take the heap's state, a NamedTuple of record arrays (`records`), and return an address or
a Status (`operations`); they never raise, print or allocate. The slow half of a stage is called
through its address (`out_of_line`). A design (`allocsim.designs`) wires the stages: its kernels
answer the operations, chosen by the type of the state when the caller is compiled. `check`,
`check_runs` and `check_tiers` prove the invariants of all of it, in plain Python.
"""
