/* The recorder in a program that gets a signal at each instruction of a call, one in each run of the
 * call. The argument chooses what the signal handler does: `fills` makes calls until there is no room
 * for more; `leaves` makes one in a thread that has ended, and so leaves the lane; `hands_over` does
 * the same, and another thread then writes to the lane; `rebases` makes calls and pauses, so that a
 * BASE record is written; `nests` fills the window, and so does the handler of a second signal soon
 * after; `takes` starts a thread that takes the region of the block away (see stamp.c); `forks` forks a
 * child, which also makes the rest of the calls; so does `forks_shared`, where no thread owns the block's
 * region. Prints the number of calls. The exit status is 1 if a child has crashed, or if, with `takes`,
 * the stamp of a call in a region without an owner is later than the region's last stamp. */
#define HOOK(name) recorded_##name
#define pthread_sigmask set_mask /* SIGTRAP, which counts the instructions, cannot be blocked */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <x86intrin.h>

static uint64_t slow_clock; /* 0: the clock is the time stamp counter */

/* Return a time. The slow clock advances by 16 at each reading, so records stay short however long a
 * signal handler takes. */
static uint64_t read_clock(void)
{
    return slow_clock ? __atomic_add_fetch(&slow_clock, 16, __ATOMIC_SEQ_CST) : __rdtsc();
}

#define __rdtsc read_clock
#include "recorder.c"

#define TRAP_FLAG 0x100 /* after each instruction, the CPU raises SIGTRAP */

static void (*interrupt)(void);
static volatile long instructions; /* until the signal */
static volatile long gap = -1;     /* instructions until the second signal; -1: there is none */
static __thread volatile bool is_blocked;
static size_t calls;
static bool is_late, is_child, has_crashed;

int set_mask(int how, const sigset_t *set, sigset_t *before)
{
    (void)how;
    if (before) {
        sigemptyset(before);
        if (is_blocked)
            sigaddset(before, SIGTRAP);
    }
    is_blocked = sigismember(set, SIGTRAP);
    return 0;
}

static void count_down(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    if (is_blocked || instructions-- > 0)
        return;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    interrupt();
    if (gap >= 0) {
        instructions = gap;
        gap = -1;
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
    }
}

static void call(int count)
{
    calls += count;
    while (count--)
        recorded_free(NULL);
}

static void limit_descriptors(rlim_t value)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = value;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void *fill_window(void *nothing)
{
    call(CHUNK / 16);
    return nothing;
}

static void fills(void)
{
    limit_descriptors(0);
    fill_window(NULL);
}

static void leaves(void)
{
    call(1);
}

static void hands_over(void)
{
    pthread_t thread;
    leaves();
    pthread_create(&thread, NULL, fill_window, NULL);
    pthread_join(thread, NULL);
}

static char cells[4096][16] __attribute__((aligned(1 << 16))); /* a region; see stamp.c */

/* The allocator of `rebases`, `nests`, `takes` and `forks`; libc's cannot be called from a signal handler
 * that has interrupted it. */
static void *cell(size_t size)
{
    return cells[size];
}

static void ignore(void *block)
{
    (void)block;
}

static void nests(void)
{
    fill_window(NULL);
}

static void rebases(void)
{
    static size_t number = 20; /* each BASE record has another address */
    number = number < 60 ? number + 1 : 20;
    for (int i = 0; i < 20; i++) {
        if (i == 18)
            usleep(100);
        recorded_free(recorded_malloc(number));
        calls += 2;
    }
}

static void *use_region(void *nothing)
{
    recorded_free(recorded_malloc(20));
    return nothing;
}

static void takes(void)
{
    pthread_t thread;
    calls += 2;
    pthread_create(&thread, NULL, use_region, NULL);
    pthread_join(thread, NULL);
}

static void forks(void)
{
    int status = 0;
    pid_t child = fork();
    is_child = child == 0;
    if (child && (waitpid(child, &status, 0) != child || status))
        has_crashed = true;
}

/* Set is_late if the region has no owner, and its last stamp is earlier than that of the last call. */
static void check_region(void)
{
    uint64_t last = *region_of((uintptr_t)cells);
    is_late |= interrupt == takes && !(last & OWNED) && last < self.last;
}

/* Make three calls, with a signal after `after` instructions; return whether the signal came. */
static bool call_interrupted(long after)
{
    instructions = after;
    gap = interrupt == nests ? after % 5 : -1;
    calls += 3;
    if (interrupt == takes)
        *region_of((uintptr_t)cells) = 0; /* the first call makes this thread the owner again */
    __writeeflags(__readeflags() | TRAP_FLAG);
    void *block = recorded_malloc(10);
    check_region();
    recorded_free(block);
    check_region();
    recorded_free(NULL); /* has a longer record */
    __writeeflags(__readeflags() & ~TRAP_FLAG);
    if (is_child)
        _exit(0);
    return instructions < 0;
}

int main(int count, char **arguments)
{
    struct sigaction action = {.sa_sigaction = count_down, .sa_flags = SA_SIGINFO | SA_NODEFER};
    const char *name = count > 1 ? arguments[1] : "";
    interrupt = !strcmp(name, "fills")    ? fills
                : !strcmp(name, "leaves") ? leaves
                : !strcmp(name, "rebases") ? rebases
                : !strcmp(name, "nests")   ? nests
                : !strcmp(name, "takes")   ? takes
                : !strncmp(name, "forks", 5) ? forks
                                           : hands_over;
    call(1);
    if (interrupt == rebases || interrupt == nests || interrupt == takes || interrupt == forks) {
        real.malloc = cell;
        real.free = ignore;
    } else if (interrupt != fills) {
        self.state = THREAD_ENDED;
    }
    if (interrupt == takes || interrupt == forks)
        slow_clock = read_clock();
    if (!strcmp(name, "forks_shared"))
        *region_of((uintptr_t)cells) = SHARED;
    sigaction(SIGTRAP, &action, NULL);
    for (long after = 0; call_interrupted(after); after++) {
        limit_descriptors(100);
        call(interrupt == fills ? RETRY + 1 : 1); /* for `fills`: until there is room again */
    }
    printf("%zu\n", calls);
    return is_late || has_crashed;
}
