/* The programs that scripts/bench records: PROGRAM FILE churn|pairs THREADS STEPS.
 *
 * A step makes two calls. `churn` frees the object in a random slot of the thread, allocates an
 * object of a random size in its place, and writes to all of it. `pairs` allocates and frees an
 * object of one size, without touching it. FILE gets the wall time and the CPU time of all steps in
 * ns, not counting the time to fill the slots at the beginning. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_THREADS = 64, SLOTS = 5000, MIN_SIZE = 16, MAX_SIZE = 1024, PAIR_SIZE = 64 };

static pthread_barrier_t filled, started;
static int is_churn;
static long steps;

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return 1e9 * time.tv_sec + time.tv_nsec;
}

/* Return the next number of a linear congruential generator; its high bits are the random ones. */
static uint64_t next(uint64_t *random)
{
    return *random = *random * 6364136223846793005 + 1442695040888963407;
}

static void *new_object(uint64_t *random)
{
    size_t size = MIN_SIZE + (next(random) >> 33) % (MAX_SIZE - MIN_SIZE + 1);
    return memset(malloc(size), 1, size);
}

static void churn(void **slots, uint64_t *random)
{
    for (long step = 0; step < steps; step++) {
        void **slot = slots + (next(random) >> 33) % SLOTS;
        free(*slot);
        *slot = new_object(random);
    }
}

static void pairs(void)
{
    for (long step = 0; step < steps; step++) {
        void *volatile object = malloc(PAIR_SIZE);
        free(object);
    }
}

static void *work(void *number)
{
    uint64_t random = (uintptr_t)number;
    void *slots[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        slots[i] = is_churn ? new_object(&random) : NULL;
    pthread_barrier_wait(&filled);
    pthread_barrier_wait(&started);
    if (is_churn)
        churn(slots, &random);
    else
        pairs();
    for (int i = 0; i < SLOTS && is_churn; i++)
        free(slots[i]);
    return NULL;
}

int main(int count, char **words)
{
    pthread_t threads[MAX_THREADS];
    int number = count == 5 ? atoi(words[3]) : 0;
    if (number < 1 || number > MAX_THREADS)
        return 2;
    is_churn = !strcmp(words[2], "churn");
    steps = atol(words[4]);
    pthread_barrier_init(&filled, NULL, number + 1);
    pthread_barrier_init(&started, NULL, number + 1);
    for (intptr_t i = 0; i < number; i++)
        pthread_create(threads + i, NULL, work, (void *)i);
    pthread_barrier_wait(&filled);
    double wall = now(CLOCK_MONOTONIC), processor = now(CLOCK_PROCESS_CPUTIME_ID);
    pthread_barrier_wait(&started);
    for (int i = 0; i < number; i++)
        pthread_join(threads[i], NULL);
    wall = now(CLOCK_MONOTONIC) - wall;
    processor = now(CLOCK_PROCESS_CPUTIME_ID) - processor;
    FILE *file = fopen(words[1], "w");
    if (!file)
        return 1;
    fprintf(file, "%.0f %.0f\n", wall, processor);
    return fclose(file) != 0;
}
