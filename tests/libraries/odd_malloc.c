/* A malloc library that misbehaves after CALLS calls, as WAY says; its names begin with odd_.

   It never reuses memory: an object is cut from one large mapping, with its size before it. */

#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NOTHING, ABORT, HANG, KILL, REFUSE, GROW, LEAVE, FORK_AND_HANG, SEGFAULT, CHATTER };

static char *next;
static long calls;

static void misbehave(void) {
  switch (WAY) {
    case ABORT: abort();
    case HANG: for (;;) pause();
    case KILL: raise(SIGKILL); break;
    case GROW: for (;;) { char *more = malloc(1 << 20); memset(more, 1, 1 << 20); usleep(1000); }
    case LEAVE: _exit(0);
    case FORK_AND_HANG: if (fork() >= 0) for (;;) pause(); break;
    case SEGFAULT: *(volatile int *)8 = 1; break;
    case CHATTER: puts("{\"stage\": \"done\"}"); fprintf(stderr, "words\n"); fflush(stdout); break;
  }
}

void *odd_memalign(size_t alignment, size_t size) {
  if (!next)
    next = mmap(NULL, (size_t)1 << 34, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (++calls > CALLS) {
    if (WAY == REFUSE) return NULL;
    misbehave();
  }
  if (alignment < 16) alignment = 16;
  char *address = (char *)(((size_t)next + 16 + alignment - 1) & ~(alignment - 1));
  ((size_t *)address)[-1] = size;
  next = address + size;
  return address;
}

void *odd_malloc(size_t size) { return odd_memalign(16, size); }
void *odd_calloc(size_t count, size_t size) { return odd_malloc(count * size); }
void odd_free(void *address) { (void)address; }

void *odd_realloc(void *old, size_t size) {
  char *fresh = odd_malloc(size);
  size_t before = old ? ((size_t *)old)[-1] : 0;
  if (fresh && old) memcpy(fresh, old, before < size ? before : size);
  return fresh;
}
