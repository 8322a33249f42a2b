/* allocsim's recorder: a preloaded library that writes every malloc call of a program to files.
 *
 * ALLOCSIM_RECORD names the directory of these files. The library never calls malloc, keeps no
 * descriptor open and starts no thread. A hook is a function of the library that replaces a
 * function of libc or libstdc++. The files included below are compiled as one unit. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/fs.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

#ifndef HOOK
#define HOOK(name) name /* the tests call the hooks by other names */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define EXPORT __attribute__((visibility("default")))
#define INLINE inline __attribute__((always_inline)) /* in the hooks, which must be fast */
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#include "format.h"    /* what the files contain */
#include "state.h"     /* the recorder's memory */
#include "real.c"      /* the functions that the hooks call */
#include "stamp.c"     /* the order of calls */
#include "files.c"     /* the recording's files */
#include "records.c"   /* lanes and their records */
#include "short.c"     /* records of one word */
#ifdef DLFO_STRUCT_HAS_EH_DBASE /* since glibc 2.35 */
#include "cache.c"   /* what is known of addresses and stacks */
#include "dwarf.c"   /* call frame information */
#include "rows.c"    /* from a frame to the caller's frame */
#include "entries.c" /* the file of the stacks */
#include "walk.c"    /* from the innermost frame to the outermost one */
#include "sites.c"   /* the number of a stack */
#else
#define SITE 0
#endif
#include "blocks.c"    /* how much of large blocks was touched */
#include "malloc.c"    /* hooks: malloc and its family */
#include "operators.c" /* hooks: operator new and delete */
#include "memory.c"    /* hooks: mmap and brk */
#include "programs.c"  /* hooks: exec and posix_spawn */
#include "escapes.c"   /* hooks: what would hide calls from the recorder */
#include "threads.c"   /* begin and end of threads and of the process */
