/* Two threads take turns with their tasks; each result stays. */
#include <pthread.h>
#include <stdlib.h>

static int count;
static void *results[2][100000];

__attribute__((noinline)) static void *keep_result(void) {
    return malloc(120); /* guilty */
}

__attribute__((noinline)) static void *start_task(void) { return malloc(2500); }

static void *work(void *results_of_thread) {
    void **kept = results_of_thread, **tasks = malloc(count * sizeof *tasks);
    for (int number = 0; number < count; number++) {
        tasks[number] = start_task();
        kept[number] = keep_result();
    }
    for (int number = 0; number < count; number++) free(tasks[number]);
    free(tasks);
    return NULL;
}

int main(int argc, char **arguments) {
    pthread_t threads[2];
    count = atoi(arguments[1]) / 3;
    for (int number = 0; number < 2; number++)
        pthread_create(&threads[number], NULL, work, results[number]);
    for (int number = 0; number < 2; number++) pthread_join(threads[number], NULL);
    return results[0][0] == NULL;
}
