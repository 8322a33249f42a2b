/* Programs with threads, whose memory `verify` predicts and measures. The first argument chooses:
 *
 *   server    8 threads answer requests: short-lived objects, and a cache that all threads share
 *   queue     3 producers allocate messages, 3 consumers free them
 *   pool      200 short-lived threads, at most 8 at once
 *   sets      8 threads, each with a set of objects of its own that it replaces at random
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 8

static uint64_t next(uint64_t *state) /* xorshift64 */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void *block(uint64_t *state) /* 16 to 4,111 bytes, small more often than large */
{
    size_t size = 16 + next(state) % (32 << next(state) % 8);
    return memset(malloc(size), 1, size);
}

static void run(int count, void *(*body)(void *))
{
    pthread_t threads[64];
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, body, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* ---- server ---- */

enum { CACHE = 100000, REQUESTS = 60000 };
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static void *cache[CACHE];

static void *serve(void *number)
{
    uint64_t state = 88172645463325252u * (uintptr_t)number;
    for (int i = 0; i < REQUESTS; i++) {
        void *work[12];
        for (int j = 0; j < 12; j++)
            work[j] = block(&state);
        void *made = block(&state), **entry = &cache[next(&state) % CACHE];
        pthread_mutex_lock(&cache_lock);
        void *old = *entry;
        *entry = made;
        pthread_mutex_unlock(&cache_lock);
        free(old);
        for (int j = 0; j < 12; j++)
            free(work[j]);
    }
    return NULL;
}

/* ---- queue ---- */

enum { SLOTS = 60000, MESSAGES = 200000 };
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *slot[SLOTS];
    int first, count, left;
} queue = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {NULL}, 0, 0, 3 * MESSAGES};

static void *produce(uintptr_t number)
{
    uint64_t state = 88172645463325252u * number;
    for (int i = 0; i < MESSAGES; i++) {
        void *made = block(&state);
        pthread_mutex_lock(&queue.lock);
        while (queue.count == SLOTS)
            pthread_cond_wait(&queue.changed, &queue.lock);
        queue.slot[(queue.first + queue.count++) % SLOTS] = made;
        pthread_cond_broadcast(&queue.changed);
        pthread_mutex_unlock(&queue.lock);
    }
    return NULL;
}

static void *consume(void)
{
    for (;;) {
        pthread_mutex_lock(&queue.lock);
        while (queue.count < SLOTS / 2 && queue.left > SLOTS) /* lets half of the slots fill up */
            pthread_cond_wait(&queue.changed, &queue.lock);
        while (queue.count == 0 && queue.left > 0)
            pthread_cond_wait(&queue.changed, &queue.lock);
        void *taken = NULL;
        if (queue.count > 0) {
            taken = queue.slot[queue.first];
            queue.first = (queue.first + 1) % SLOTS;
            queue.count--, queue.left--;
        }
        int left = queue.left;
        pthread_cond_broadcast(&queue.changed);
        pthread_mutex_unlock(&queue.lock);
        free(taken);
        if (left == 0)
            return NULL;
    }
}

static void *queue_thread(void *number)
{
    return (uintptr_t)number % 2 ? produce((uintptr_t)number) : consume();
}

/* ---- pool ---- */

static void *job(void *number)
{
    enum { OBJECTS = 8000 };
    uint64_t state = 88172645463325252u * (uintptr_t)number;
    void **kept = calloc(OBJECTS, sizeof *kept);
    for (int i = 0; i < 3 * OBJECTS; i++) {
        void **one = &kept[next(&state) % OBJECTS];
        free(*one);
        *one = block(&state);
    }
    for (int i = 0; i < OBJECTS; i++)
        free(kept[i]);
    free(kept);
    return NULL;
}

/* ---- sets ---- */

static void *own_set(void *number)
{
    enum { OBJECTS = 20000 };
    uint64_t state = 88172645463325252u * (uintptr_t)number;
    static __thread void *kept[OBJECTS];
    for (int i = 0; i < 20 * OBJECTS; i++) {
        void **one = &kept[next(&state) % OBJECTS];
        free(*one);
        *one = block(&state);
    }
    return NULL;
}

int main(int count, char **words)
{
    const char *which = count > 1 ? words[1] : "";
    if (!strcmp(which, "server"))
        run(THREADS, serve);
    else if (!strcmp(which, "queue"))
        run(6, queue_thread);
    else if (!strcmp(which, "sets"))
        run(THREADS, own_set);
    else if (!strcmp(which, "pool"))
        for (int i = 0; i < 25; i++)
            run(THREADS, job);
    else
        return fprintf(stderr, "usage: programs server|queue|pool|sets\n"), 2;
    return 0;
}
