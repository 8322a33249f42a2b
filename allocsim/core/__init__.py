"""Core of allocsim: the base of every simulated allocator. Start here.

A *design* (`allocsim.designs`) is the algorithm of a real allocator, written in Python. Its
functions are *kernels*: Numba compiles them. A design manages real memory: `malloc` returns an
address that can be written. `allocsim.core` has no code of an allocator. Its modules, from bottom
to top:

  records        declarations of a design's records, and the records that all designs have
  memory         a range of address space from mmap, and tables of records in such a range
  tables         tables that grow, for the readers of traces
  heap_table     the tables of a heap that is given as a pointer
  heap_pointer   a heap's state as one pointer, for kernels that are called by their address
  jit            decorators: `kernel` compiles a function; `operation` declares a call that every
                 design has (see `operations`); `answers` marks a design's implementation of it
  out_of_line    kernels that are called by their address
  c_function     kernels that C code can call
  raw            loads and stores at an address
  word_fields    fields of a struct at an address
  words          operations on 64-bit words: count, find, shift
  atomics        atomic loads, stores and additions, for kernels on several OS threads
  prefetch       loading a row of a table into the CPU's caches early
  operations     the calls that every design has (malloc, free, ...), and `Status`
  defaults       kernels for the operations that a design may omit
  system         obtains and releases pages, counts them and the metadata, and freezes a heap
  size_classes   the table of a design's size classes, and its check
  class_rules    rules for a table of size classes that replaces the design's own
  check          the invariants of a heap, checked in plain Python

`available_memory` computes how much memory a run may use. It uses none of these modules.

How `jit` compiles and caches (skip this part on a first reading):

  kernel_cache       the directory of compiled kernels
  kernel_files       a file for each kernel and signature, named by a digest of its dependencies
  kernel_dispatcher  compiles a kernel when it is first called
  import_closure     the modules that a kernel depends on, and whether they have changed
  inlined_kernels    kernels called by kernels: linked and optimised together with their caller
  call_convention    calls between kernels, with less code than Numba generates
  plain_conditions   branches, without the calls of `bool` that Numba adds to their conditions
  compile_notice     the line that says how long compiling is likely to take

How the parts work together:

  1. A heap reserves a range of addresses (`memory.Reservation`). Nothing in it ever moves. Pages
     cost no memory until they are written.
  2. The design's state is a NamedTuple of tables. Each table has address space for as many records
     as it can ever need, so it is never copied or grown, and the index of a record never changes.
  3. A kernel takes the state as its first argument and returns an address or a Status. It never
     raises, prints or allocates Python objects, so Numba compiles it to plain machine code.
  4. A caller calls `operations.malloc(heap, ...)`. The type of the state decides, when the caller
     is compiled, which design's kernel is called; nothing is looked up at run time.
  5. A design obtains all memory through `system`, which counts it. `operations.freeze` freezes a
     heap: every later request to `system` fails.
  6. `operations.measure` measures the heap. The result, a sample, says how many bytes are used for
     what; these parts must sum to the bytes of the heap. Invariants check the records themselves,
     and share no code with the kernels.

Where to read on: each design's `__init__` describes the path of malloc step by step, and the path
of free.

  allocsim.designs.go2008     Go's first malloc, November 2008. It is small: read it first.
  allocsim.designs.tcmalloc   gperftools 2.10. Its counters equal the library's, to the byte.
  allocsim.designs.go         Go 1.27. Objects have the addresses that Go's runtime gives them.
  allocsim.designs.glibc      malloc of glibc 2.36. Objects have the addresses of the real library.
"""
