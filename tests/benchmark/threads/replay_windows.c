/* The windows of a plan (allocsim/benchmark/threads/plan.py), replayed by a plain loop on pthreads.

   It shares the plan with allocsim's driver, and nothing else: it has its own objects, its own
   synchronisation, and no checks. An object has its address and its size, as in replay_events.c; a
   loop that keeps no sizes was 3 to 10 ns/event faster with 160,000 objects. `replay_windows` replays all epochs on a library and returns the
   CPU time in ns that the turns took; `free_objects` then frees what is live. */

#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct event {
  int64_t request;
  uint32_t object;
  uint16_t version;
  uint8_t op;
  uint8_t alignment;
};

struct turn { int64_t thread, epoch, end, next, ends; };
struct epoch { int64_t first, remaining; };
struct progress { int64_t position, first, turn, begin; };

struct plan {
  const struct event *stream;
  const struct turn *turns;
  const struct epoch *epochs;
  const struct progress *progress;
  int64_t epoch_count, thread_count, own_count, shared_count;
  const void *function[5];
};

struct object { char *address; int64_t request; };
struct shared { struct object object; _Atomic int64_t version, waiting; };

struct worker {
  pthread_t handle;
  sem_t go;
  int64_t number, cpu;
} __attribute__((aligned(64)));

enum { MALLOC, CALLOC, MEMALIGN, REALLOC, FREE, SHARED = 1 << 30 };

static const struct plan *plan;
static struct worker *workers;
static struct object *own;
static struct shared *shared;
static _Atomic int64_t remaining;
static sem_t all_done;

static int64_t cpu_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1000000000 * time.tv_sec + time.tv_nsec;
}

static void touch(char *address, const struct event *event) {
  if (event->request <= 0) return;
  *(volatile char *)address = (char)0xBB;
  int64_t left = event->op == MEMALIGN ? 0 : event->request * event->alignment >> 8;
  uintptr_t next = ((uintptr_t)address | 4095) + 1;
  for (; next < (uintptr_t)address + event->request - left; next += 4096)
    *(volatile char *)next = (char)0xBB;
}

static void replay(struct object *object, const struct event *event) {
  char *address = object->address;
  switch (event->op) {
    case FREE:
      ((void (*)(void *))plan->function[1])(address);
      object->address = NULL;
      return;
    case MALLOC: address = ((char *(*)(size_t))plan->function[0])(event->request); break;
    case REALLOC:
      address = ((char *(*)(void *, size_t))plan->function[2])(address, event->request); break;
    case CALLOC:
      address = ((char *(*)(size_t, size_t))plan->function[3])(1, event->request); break;
    case MEMALIGN:
      address = ((char *(*)(size_t, size_t))plan->function[4])((size_t)1 << event->alignment,
                                                               event->request); break;
  }
  if (!address) abort();
  object->address = address;
  object->request = event->request;
  touch(address, event);
}

static void replay_shared(const struct event *event) {
  struct shared *object = &shared[event->object - SHARED];
  if (event->op >= REALLOC && object->version != event->version) {
    object->waiting++;
    for (int64_t seen; (seen = object->version) != event->version;)
      syscall(SYS_futex, &object->version, FUTEX_WAIT_PRIVATE, (int)seen, NULL, NULL, 0);
    object->waiting--;
  }
  replay(&object->object, event);
  object->version = event->op == FREE ? 0 : (event->version + 1) & 0xFFFF;
  if (object->waiting)
    syscall(SYS_futex, &object->version, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void *work(void *argument) {
  struct worker *me = argument;
  const struct progress *progress = &plan->progress[me->number];
  const struct event *event = &plan->stream[progress->begin];
  const struct turn *turn;
  for (int64_t number = progress->first; number; number = turn->next) {
    sem_wait(&me->go);
    turn = &plan->turns[number];
    int64_t begun = cpu_time();
    for (; event < &plan->stream[turn->end]; event++) {
      if (event->object < SHARED)
        replay(&own[event->object], event);
      else
        replay_shared(event);
    }
    me->cpu += cpu_time() - begun;
    int ends = turn->ends;
    if (--remaining == 0) sem_post(&all_done);
    if (ends) return NULL;
  }
  sem_wait(&me->go); /* a thread that does not end in the recording stays until the end */
  return NULL;
}

static void run_epoch(int64_t number) {
  int64_t first = plan->epochs[number].first, end = plan->epochs[number + 1].first;
  remaining = end - first;
  for (int64_t turn = first; turn < end; turn++) {
    struct worker *worker = &workers[plan->turns[turn].thread];
    sem_post(&worker->go);
    if (plan->progress[worker->number].first == turn &&
        pthread_create(&worker->handle, NULL, work, worker))
      abort();
  }
  while (sem_wait(&all_done)) continue;
  for (int64_t turn = first; turn < end; turn++)
    if (plan->turns[turn].ends) {
      pthread_join(workers[plan->turns[turn].thread].handle, NULL);
      workers[plan->turns[turn].thread].handle = 0;
    }
}

static void prepare(void) {
  workers = aligned_alloc(64, plan->thread_count * sizeof *workers);
  own = calloc(plan->own_count + 1, sizeof *own);
  shared = calloc(plan->shared_count + 1, sizeof *shared);
  sem_init(&all_done, 0, 0);
}

int64_t replay_windows(const struct plan *given) {
  int64_t cpu = 0;
  plan = given;
  if (!workers) prepare();
  for (int64_t i = 0; i < plan->thread_count; i++) {
    workers[i] = (struct worker){.number = i};
    sem_init(&workers[i].go, 0, 0);
  }
  for (int64_t i = 0; i < plan->epoch_count; i++) run_epoch(i);
  for (int64_t i = 0; i < plan->thread_count; i++) {
    if (workers[i].handle) {
      sem_post(&workers[i].go);
      pthread_join(workers[i].handle, NULL);
    }
    cpu += workers[i].cpu;
  }
  return cpu;
}

static int64_t free_object(struct object *object) {
  if (!object->address) return 0;
  ((void (*)(void *))plan->function[1])(object->address);
  object->address = NULL;
  return 1;
}

int64_t free_objects(void) {
  int64_t count = 0;
  for (int64_t i = 0; i < plan->own_count; i++) count += free_object(&own[i]);
  for (int64_t i = 0; i < plan->shared_count; i++) {
    count += free_object(&shared[i].object);
    shared[i].version = 0;
  }
  return count;
}
