/* Programs with threads. */

static void *worker(void *number)
{
    void *held[50];
    pthread_setname_np(pthread_self(), "worker");
    for (int i = 0; i < 50; i++)
        held[i] = malloc(16 + ((uintptr_t)number + i) % 400);
    for (int i = 0; i < 50; i++)
        free(held[i]);
    return NULL;
}

static void run_threads(int count, void *(*body)(void *))
{
    pthread_t threads[8];
    for (intptr_t i = 0; i < count; i++)
        pthread_create(threads + i, NULL, body, (void *)i);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static int pool(void) /* 40 threads, 8 at once */
{
    for (int i = 0; i < 5; i++)
        run_threads(8, worker);
    return 0;
}

enum { PLACES = 16 };
static void *places[PLACES];

static void *exchanger(void *number)
{
    uint32_t random = (uintptr_t)number * 77 + 1;
    for (int i = 0; i < 300; i++) {
        random = random * 1664525 + 1013904223;
        void **place = places + (random >> 28), *object;
        if (random >> 10 & 1) {
            object = __atomic_exchange_n(place, NULL, __ATOMIC_ACQ_REL);
            object = realloc(object, 1 + (random >> 16) % 2000);
        } else
            object = malloc(16 + (random >> 16) % 600);
        free(__atomic_exchange_n(place, object, __ATOMIC_ACQ_REL));
        if (i % 7 == 0)
            sched_yield();
    }
    return NULL;
}

static int cross(void) /* objects and reallocs go from thread to thread */
{
    run_threads(8, exchanger);
    for (int i = 0; i < PLACES; i++)
        free(places[i]);
    return 0;
}

static pthread_key_t late_key;

static void free_late(void *object)
{
    free(object);
    churn(20);
}

static void *with_key(void *number)
{
    pthread_setspecific(late_key, malloc(100));
    return number;
}

static volatile intptr_t zero __attribute__((aligned(64)));
static void *volatile handed __attribute__((aligned(64)));

/* Return the object, which the other thread may put there at this moment. The load takes long, so
 * the CPU begins the instructions that follow before it has the address. */
static void *receive(void)
{
#ifdef __x86_64__
    _mm_clflush((void *)&zero);
    _mm_mfence();
#endif
    return (&handed)[zero];
}

static void *receiver(void *calls)
{
    void *object;
    for (intptr_t i = 0; i < (intptr_t)calls; i++) {
        for (int j = 1; !(object = receive()); j++)
            if (j % 100 == 0)
                sched_yield(); /* the other thread may need the processor */
        free(object);
        handed = NULL;
    }
    return NULL;
}

static int hands_over(void) /* another thread frees each object as soon as it sees the address */
{
    const intptr_t calls = 30000;
    pthread_t thread;
    pthread_create(&thread, NULL, receiver, (void *)calls);
    for (uintptr_t i = 0; i < calls; i++) {
        for (int j = 1; handed; j++)
            if (j % 20000 == 0)
                sched_yield();
        for (volatile uintptr_t delay = i * 2654435761 % 256; delay; delay--)
            ;
        handed = malloc(10 + i % 100);
    }
    return pthread_join(thread, NULL);
}

static int destructors(void) /* thread-specific values are freed when a thread ends */
{
    pthread_key_create(&late_key, free_late);
    run_threads(8, with_key);
    return 0;
}
