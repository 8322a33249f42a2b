/* Programs that are hard to record, chosen by the first argument. Each makes a few thousand calls at
 * most. It ends with status 0 unless it has noticed the recorder. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

extern char **environ;
static void *volatile kept;
static char **arguments;

static void churn(int calls)
{
    for (int i = 0; i < calls / 2; i++) {
        kept = malloc(10 + i % 100);
        free(kept);
    }
}

static int kinds(void)
{
    volatile size_t huge = SIZE_MAX / 2;
    void *q;
    for (int i = 0; i < 20; i++) {
        kept = calloc(i, 10), kept = realloc(kept, 100 + i), kept = reallocarray(kept, i + 1, 30);
        free(kept);
        kept = memalign(64, i), free(kept);
        if (posix_memalign(&q, 128, i * 10) == 0)
            free(q);
        kept = aligned_alloc(256, 512), free(kept);
        kept = valloc(10), free(kept);
        kept = pvalloc(10), free(kept);
        kept = realloc(NULL, 20), kept = realloc(kept, 0);
        kept = reallocarray(NULL, 3, 5), free(kept);
        free(NULL);
    }
    kept = malloc(huge), kept = calloc(huge, 4), kept = malloc(10);
    void *volatile grown = realloc(kept, huge);
    grown = reallocarray(kept, huge, 16);
    free(kept);
    q = NULL;
    return posix_memalign(&q, 3, 10) != EINVAL || posix_memalign(&q, 64, huge) != ENOMEM || grown;
}

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

static int ended(pid_t child)
{
    int status;
    return waitpid(child, &status, 0) != child || status != 0;
}

static int forks(void) /* the child frees what it inherited */
{
    void *inherited = malloc(1000);
    kept = malloc(500);
    pid_t child = fork();
    if (child == 0) {
        free(inherited);
        churn(20);
        _exit(0);
    }
    churn(10);
    return ended(child);
}

static int raw_fork(void) /* does not run the handlers of pthread_atfork */
{
    void *inherited = malloc(1000);
    pid_t child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        free(inherited);
        churn(20);
        _exit(0);
    }
    return ended(child);
}

static int vforks(void) /* the child's calls are made in the parent's memory */
{
    churn(20);
    pid_t child = vfork();
    if (child == 0) {
        kept = malloc(70);
        execl(arguments[0], arguments[0], "nothing", NULL);
        _exit(1);
    }
    return ended(child);
}

static int spawns(void) /* a program with the environment, one without it, and one that does not exist */
{
    char *const command[] = {arguments[0], "nothing", NULL}, *const empty[] = {NULL};
    pid_t child;
    if (posix_spawn(&child, arguments[0], NULL, NULL, command, environ) || ended(child))
        return 1;
    if (posix_spawn(&child, arguments[0], NULL, NULL, command, empty) || ended(child))
        return 1;
    return posix_spawn(&child, "/nonexistent", NULL, NULL, command, environ) != ENOENT;
}

static int execs(void)
{
    char *const command[] = {arguments[0], "nothing", NULL};
    churn(20);
    if (execve("/nonexistent", command, environ) != -1 || errno != ENOENT)
        return 1;
    execv(arguments[0], command);
    return 1;
}

static int exec_lists(void) /* arguments as a list; the last one has another environment */
{
    char *const program = arguments[0], *const empty[] = {NULL};
    int failed = 0;
    for (int i = 0; i < 3; i++) {
        pid_t child = vfork();
        if (child == 0) {
            if (i == 0)
                execl(program, program, "nothing", NULL);
            else if (i == 1)
                execlp(program, program, "nothing", NULL);
            else
                execle(program, program, "nothing", NULL, empty);
            _exit(1);
        }
        failed |= ended(child);
    }
    return failed;
}

static int many_forks(void)
{
    int failed = 0;
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            kept = malloc(i);
            _exit(0);
        }
        failed |= ended(child);
    }
    return failed;
}

static int idles(void) /* makes no call; its child, grandchild and the program that it spawns do */
{
    char *const command[] = {arguments[0], "exits", NULL};
    pid_t spawned, child = fork();
    if (child == 0) {
        if (fork() == 0)
            usleep(100000); /* until its parent has ended */
        churn(20);
        _exit(0);
    }
    return ended(child) || posix_spawn(&spawned, arguments[0], NULL, NULL, command, environ) ||
           ended(spawned);
}

static int executes(void) /* by vfork; the child's program is the only one that makes a call */
{
    pid_t child = vfork();
    if (child == 0) {
        execl(arguments[0], arguments[0], "exits", NULL);
        _exit(1);
    }
    return ended(child);
}

static int daemons(void) /* goes on when its parent has ended */
{
    churn(20);
    if (fork())
        _exit(0);
    setsid();
    usleep(300000);
    churn(40);
    return 0;
}

static int closes(void) /* closes descriptors that it did not open, and writes to a file of its own */
{
    char content[16] = "";
    churn(100);
    closefrom(3);
    syscall(SYS_close_range, 3, ~0U, 0);
    churn(20000); /* more than a window has room for */ /* enough for a new chunk, between the ways to close */
    for (int i = 3; i < 256; i++)
        close(i);
    int file = open(arguments[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
    int is_lowest = file == 3;
    churn(20000); /* more than a window has room for */
    ssize_t written = write(file, "my data", 7);
    ssize_t length = pread(file, content, sizeof content, 0);
    return !is_lowest || written != 7 || length != 7 || memcmp(content, "my data", 7);
}

static int deepbind(void) /* a library that does not use the malloc of a preloaded one */
{
    void *library = dlopen(arguments[2], RTLD_NOW | RTLD_DEEPBIND);
    void (*work)(void) = library ? (void (*)(void))dlsym(library, "work") : NULL;
    if (!work)
        return 1;
    work();
    return 0;
}

static int killed(void)
{
    churn(20000); /* more than a window has room for */
    raise(SIGKILL);
    return 1;
}

static int aborts(void)
{
    churn(100);
    signal(SIGABRT, SIG_DFL);
    abort();
}

static int exits(void)
{
    churn(100);
    _exit(0);
}

static sigjmp_buf start;
static volatile int signals;

/* A call that glibc lets a signal handler interrupt and leave: it takes no lock. */
static void quick_call(void)
{
    volatile size_t huge = SIZE_MAX;
    if (arguments[2])
        kept = malloc(huge);
    else
        free(NULL);
}

static void handler(int number)
{
    if (arguments[2])
        quick_call();
    if (++signals % 3 == 0 && number == SIGALRM)
        siglongjmp(start, 1); /* it may leave the recorder in the middle of a record */
}

static int storm(void) /* signals at random moments */
{
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    volatile int done = 0;
    churn(2); /* before it is used in a handler, malloc must have set itself up */
    signal(SIGALRM, handler);
    while (done < 300) {
        if (sigsetjmp(start, 1) == 0) {
            if (done == 0) /* a signal before the first sigsetjmp would jump to an empty buffer */
                setitimer(ITIMER_REAL, &often, NULL);
            for (;;)
                quick_call();
        }
        done++;
    }
    signal(SIGALRM, SIG_IGN);
    setitimer(ITIMER_REAL, &never, NULL);
    churn(1000);
    return 0;
}

static int unmaps(void) /* unmaps anonymous and file mappings that others have made */
{
    char line[512];
    churn(100);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long begin, end;
        if (strstr(line, "allocsim-recording") && sscanf(line, "%lx-%lx", &begin, &end) == 2)
            munmap((void *)begin, end - begin);
    }
    if (maps)
        fclose(maps);
    churn(20000); /* more than a window has room for */
    return 0;
}

static int sealed(void) /* a seccomp filter that kills a process that opens a file */
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};
    churn(100);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program, 0, 0))
        return 1;
    churn(10000);
    return 0;
}

/* Whether a forked child that may not make its own recording runs to its end. */
static int child_fails(rlim_t descriptors)
{
    struct rlimit limit = {descriptors, descriptors};
    int status = 1;
    if (!fork()) {
        if (setrlimit(RLIMIT_NOFILE, &limit))
            _exit(1);
        churn(100);
        kept = malloc(10);
        kept = realloc(kept, 1 << 20);
        free(kept);
        _exit(0);
    }
    wait(&status);
    return status != 0;
}

static int sealed_fork(void) /* a child tries to make room at one of 64 losses in a row */
{
    int failed = sealed();
    for (int i = 0; i < 64 && !failed; i++) {
        failed = child_fails(100);
        kept = malloc(1);
    }
    return failed;
}

static int starved_fork(void)
{
    churn(100);
    return child_fails(0);
}

static void limit_descriptors(rlim_t value)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = value;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int losing_fork(void) /* three children, each after one more call that is not recorded */
{
    int failed = 0;
    limit_descriptors(0);
    churn(10000);
    for (int i = 0; i < 3; i++) {
        kept = malloc(10);
        limit_descriptors(100);
        pid_t child = fork();
        if (child == 0) {
            churn(20);
            _exit(0);
        }
        failed |= ended(child);
        limit_descriptors(0);
    }
    return failed;
}

static int fills_disk(void) /* fills the disk that has a file, and goes on when all is written to it */
{
    static char bytes[1 << 16] = {1};
    int file = open(arguments[2], O_WRONLY | O_CREAT, 0600);
    churn(100);
    for (int i = 0; i < 2; i++, sync())
        for (size_t length = sizeof bytes; length >= 512; length /= 2)
            while (write(file, bytes, length) > 0)
                ;
    int is_full = errno == ENOSPC;
    churn(100);
    sync();
    churn(100);
    return !is_full;
}

static int limited(int resource, rlim_t value)
{
    struct rlimit limit = {value, value};
    churn(100);
    if (setrlimit(resource, &limit))
        return 1;
    churn(10000);
    return 0;
}

static int few_descriptors(void) { return limited(RLIMIT_NOFILE, 3); }
static int small_files(void) { return limited(RLIMIT_FSIZE, 1000); }

static void *churner(void *calls)
{
    churn((intptr_t)calls);
    return NULL;
}

/* The first thread goes on with its window. A second thread has a stack, but no room for a window. */
static int no_space(void)
{
    static char stack[1 << 18] __attribute__((aligned(4096)));
    pthread_attr_t attributes;
    pthread_t thread;
    if (limited(RLIMIT_AS, 1 << 20) || pthread_attr_init(&attributes) ||
        pthread_attr_setstack(&attributes, stack, sizeof stack) ||
        pthread_create(&thread, &attributes, churner, (void *)10000))
        return 1;
    return pthread_join(thread, NULL);
}

static int maps(void) /* memory that does not come from malloc */
{
    void *map = mmap(NULL, 8 << 20, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map = mremap(map, 8 << 20, 9 << 20, MREMAP_MAYMOVE);
    kept = malloc(64 << 20); /* which malloc maps */
    free(kept);
    return munmap(map, 9 << 20);
}

static int touches(void) /* large blocks, of which it writes to a part */
{
    char *sparse = calloc(1, 8 << 20);
    memset(sparse, 1, 1 << 20);
    char *grown = realloc(malloc(4 << 20), 16 << 20);
    memset(grown, 1, 2 << 20);
    memset(malloc(200 << 10), 1, 200 << 10);
    free(sparse);
    return 0; /* `grown` is live */
}

static int waits(void) /* until its input ends */
{
    char input;
    for (int i = 0; i < 100; i++)
        kept = malloc(1000);
    return read(0, &input, 1);
}

static int alone(void) { return unshare(CLONE_NEWUSER) && errno == EINVAL; } /* one thread only */
static int nothing(void) { return 0; }

int main(int count, char **given)
{
    static const struct { const char *name; int (*body)(void); } known[] = {
#define PROGRAM(name) {#name, name}
        PROGRAM(kinds), PROGRAM(pool), PROGRAM(cross), PROGRAM(hands_over), PROGRAM(destructors), PROGRAM(forks),
        PROGRAM(raw_fork), PROGRAM(vforks), PROGRAM(spawns), PROGRAM(execs), PROGRAM(exec_lists),
        PROGRAM(many_forks), PROGRAM(idles), PROGRAM(executes), PROGRAM(daemons), PROGRAM(closes), PROGRAM(deepbind), PROGRAM(killed), PROGRAM(aborts),
        PROGRAM(exits), PROGRAM(storm), PROGRAM(unmaps), PROGRAM(sealed), PROGRAM(sealed_fork),
        PROGRAM(starved_fork), PROGRAM(losing_fork), PROGRAM(fills_disk),
        PROGRAM(few_descriptors), PROGRAM(small_files), PROGRAM(no_space), PROGRAM(maps), PROGRAM(touches),
        PROGRAM(alone), PROGRAM(waits), PROGRAM(nothing),
    };
    arguments = given;
    for (size_t i = 0; count > 1 && i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, given[1]))
            return known[i].body();
    return 2;
}

void work(void) { churn(200); } /* of the library that `deepbind` opens */
