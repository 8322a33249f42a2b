/* The recorder as part of a program, for ThreadSanitizer: threads begin and end, take over each
 * other's lanes, and fill many chunks. Build it with -fsanitize=thread -I of recorder.c. */
#define HOOK(name) recorded_##name
#include "recorder.c"

#ifndef ROUND_COUNT
#define ROUND_COUNT 12
#endif
enum { THREADS = 8, ROUNDS = ROUND_COUNT, CALLS = 120 };

static void *shared[THREADS];

static void *work(void *number)
{
    size_t own = (uintptr_t)number;
    for (int i = 0; i < CALLS; i++) {
        void *object = recorded_realloc(recorded_malloc(10 + i), 2 * i + 1);
        object = __atomic_exchange_n(shared + (own + i) % THREADS, object, __ATOMIC_ACQ_REL);
        recorded_free(object);
    }
    self.round = PTHREAD_DESTRUCTOR_ITERATIONS; /* the sanitizer's own destructor comes too early */
    end_thread(NULL);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    kept.has_key = false;
    for (int round = 0; round < ROUNDS; round++) {
        for (uintptr_t i = 0; i < THREADS; i++)
            pthread_create(threads + i, NULL, work, (void *)i);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < THREADS; i++)
        recorded_free(shared[i]);
    return !process.header || process.lanes_used > 2 * THREADS;
}
