/* The recorder with a clock that stands still: only the last stamps put the calls in order. Two
 * threads take turns. In each turn, a thread uses the blocks that the other one has just used. In
 * the end, the process forks, and the child frees a block of the thread that is ahead. */
#define clock_gettime frozen_clock
#define HOOK(name) recorded_##name
#include "recorder.c"
#include <sys/wait.h>

enum { ROUNDS = 25 };

static char cells[3][1 << 17]; /* more than a region; see stamp.c */
static pthread_barrier_t turn;

int frozen_clock(clockid_t clock, struct timespec *now)
{
    (void)clock;
    *now = (struct timespec){.tv_sec = 1};
    return 0;
}

static void *cell(size_t number)
{
    return cells[number];
}

/* Move a block to another cell. Meanwhile the thread takes 50 more stamps. */
static void *move(void *block, size_t number)
{
    for (int i = 0; i < 50; i++)
        stamp();
    return block && number < 3 ? cells[number] : NULL;
}

static void ignore(void *block)
{
    (void)block;
}

/* The thread that is ahead has many more stamps than the other one. */
static void *work(void *is_ahead)
{
    for (int i = 0; i < 1000 && is_ahead; i++)
        recorded_free(NULL);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&turn);
        if (is_ahead)
            recorded_malloc(1);
        pthread_barrier_wait(&turn);
        if (!is_ahead) {
            recorded_realloc(cells[1], SIZE_MAX); /* fails */
            recorded_malloc(2);
            recorded_realloc(cells[1], SIZE_MAX);
        }
        pthread_barrier_wait(&turn);
        if (is_ahead) {
            recorded_free(cells[2]);
            recorded_realloc(cells[1], 2);
        }
        pthread_barrier_wait(&turn);
        if (!is_ahead)
            recorded_free(cells[2]);
    }
    if (is_ahead)
        recorded_malloc(0);
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    recorded_free(recorded_malloc(1)); /* finds the real functions */
    real.malloc = cell;
    real.realloc = move;
    real.free = ignore;
    pthread_barrier_init(&turn, NULL, 2);
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(threads + i, NULL, work, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pid_t child = fork();
    recorded_free(cells[0]);
    if (child == 0)
        _exit(!process.header);
    int status;
    return waitpid(child, &status, 0) != child || status != 0;
}
