/* A malloc library that misbehaves after CALLS calls in the way WAY; its names begin with odd_.

   It never reuses memory: an object is cut from one large mapping, with its size before it. The
   last six ways return wrong addresses or change contents from the first call on. */

#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  NOTHING, ABORT, HANG, KILL, REFUSE, GROW, LEAVE, FORK_AND_HANG, SEGFAULT, CHATTER,
  GARBAGE, FORGE, REAL_TIME, SPIN, TAMPER,
  SAME, OVERLAP, MISALIGNED, MISALIGNED_MEMALIGN, SCRIBBLE, FORGET
};

static char *next;
static long calls;

static void write_everywhere(const char *text) {
  for (int file = 3; file < 64; file++)
    if (write(file, text, strlen(text)) < 0) continue;
}

/* Overwrite every shared mapping of an anonymous file. */
static void tamper(void) {
  char line[600];
  unsigned long begin, end;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps))
    if (strstr(line, "memfd:") && sscanf(line, "%lx-%lx", &begin, &end) == 2) {
      if (mprotect((void *)begin, end - begin, PROT_READ | PROT_WRITE) == 0)
        for (unsigned long at = begin; at < end; at += 16) *(long *)at = 8;
    }
  fclose(maps);
  for (int file = 3; file < 64; file++)
    if (pwrite(file, "\1\1\1\1\1\1\1\1", 8, 0) < 0) continue;
}

static void misbehave(void) {
  switch (WAY) {
    case ABORT: abort();
    case HANG: for (;;) pause();
    case KILL: raise(SIGKILL); break;
    case GROW: for (;;) { char *more = malloc(1 << 20); memset(more, 1, 1 << 20); usleep(1000); }
    case LEAVE: _exit(0);
    case FORK_AND_HANG: if (fork() >= 0) for (;;) pause(); break;
    case SEGFAULT: *(volatile int *)8 = 1; break;
    case GARBAGE: write_everywhere("garbage \x1b[31m not json\n"); break;
    case FORGE: write_everywhere("{\"stage\":\"loading\"}\n"); break;
    case REAL_TIME: signal(40, SIG_DFL); raise(40); break;
    case SPIN: for (;;);
    case TAMPER: if (calls == CALLS + 1) tamper(); break;
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
  if (WAY == SAME) return next + 4096;
  if (alignment < 16 || WAY == MISALIGNED_MEMALIGN) alignment = 16;
  if (WAY == SCRIBBLE && calls % 10 == 0) next[-1] ^= 1;
  char *address = (char *)(((size_t)next + 16 + alignment - 1) & ~(alignment - 1));
  ((size_t *)address)[-1] = size;
  next = address + (WAY == OVERLAP ? size / 2 : size);
  return WAY == MISALIGNED ? address + 8 : address;
}

void *odd_malloc(size_t size) { return odd_memalign(16, size); }
void *odd_calloc(size_t count, size_t size) { return odd_malloc(count * size); }
void odd_free(void *address) { (void)address; }

void *odd_realloc(void *old, size_t size) {
  char *fresh = odd_malloc(size);
  size_t before = old ? ((size_t *)old)[-1] : 0;
  if (fresh && old && WAY != FORGET) memcpy(fresh, old, before < size ? before : size);
  return fresh;
}
