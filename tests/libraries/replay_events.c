/* An independent measurement: the events of a file through malloc, in plain C.

   replay_events EVENTS OBJECTS POINTS RUNS, started with LD_PRELOAD=libX.so to measure X. It prints
   anonymous resident bytes before the first event, at the peak and after the last event of the
   first run, sampled at POINTS moments, then ns/event of each run. Each run begins with
   nothing live. It shares with allocsim only the file of events and the rule of touching: one byte at the start
 * of an object, and one byte in each further page. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct event {
  int64_t request;
  uint32_t object;
  uint16_t thread;
  uint8_t op;
  uint8_t alignment;
};

struct object {
  char *address;
  int64_t request;
};

enum { MALLOC, CALLOC, MEMALIGN, REALLOC, FREE };

static struct object *objects;
static long object_count;

static long anonymous_bytes(void) {
  static char text[4096];
  int file = open("/proc/self/smaps_rollup", O_RDONLY);
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  text[length > 0 ? length : 0] = 0;
  char *line = strstr(text, "\nAnonymous:");
  return line ? 1024 * strtol(line + 11, NULL, 10) : -1;
}

static void touch(char *address, int64_t request) {
  if (request <= 0) return;
  *(volatile char *)address = (char)0xBB;
  uintptr_t next = ((uintptr_t)address | 4095) + 1;
  for (; next < (uintptr_t)address + (uintptr_t)request; next += 4096)
    *(volatile char *)next = (char)0xBB;
}

static void replay(const struct event *event) {
  struct object *object = &objects[event->object];
  switch (event->op) {
    case FREE: free(object->address); object->address = NULL; return;
    case MALLOC: object->address = malloc(event->request); break;
    case CALLOC: object->address = calloc(1, event->request); break;
    case MEMALIGN:
      object->address = memalign((size_t)1 << event->alignment, event->request); break;
    case REALLOC: object->address = realloc(object->address, event->request); break;
  }
  if (!object->address) _exit(9);
  object->request = event->request;
  touch(object->address, event->request);
}

static void free_all(void) {
  for (long i = 0; i < object_count; i++) {
    free(objects[i].address);
    objects[i].address = NULL;
  }
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return 1e9 * time.tv_sec + time.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  int file = open(argv[1], O_RDONLY);
  struct stat about;
  fstat(file, &about);
  long count = about.st_size / (long)sizeof(struct event);
  const struct event *events =
      mmap(NULL, about.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
  object_count = atol(argv[2]);
  long points = atol(argv[3]), runs = atol(argv[4]);
  objects = mmap(NULL, object_count * sizeof *objects, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  double *times = mmap(NULL, (runs + 1) * sizeof *times, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  long before = anonymous_bytes(), peak = before, end = before;
  for (long done = 0, point = 1; points > 0 && point <= points; point++) {
    long until = count * point / points;
    for (; done < until; done++) replay(&events[done]);
    end = anonymous_bytes();
    if (end > peak) peak = end;
  }
  free_all();
  for (long run = 0; run < runs; run++) {
    double begun = now();
    for (long i = 0; i < count; i++) replay(&events[i]);
    times[run] = (now() - begun) / count;
    free_all();
  }
  printf("%ld %ld %ld", before, peak, end);
  for (long run = 0; run < runs; run++) printf(" %.2f", times[run]);
  printf("\n");
  return 0;
}
