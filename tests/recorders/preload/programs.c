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

#include "programs/calls.c"
#include "programs/threads.c"
#include "programs/processes.c"
#include "programs/endings.c"
#include "programs/surroundings.c"

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
        PROGRAM(kinds), PROGRAM(pool), PROGRAM(cross), PROGRAM(hands_over), PROGRAM(destructors),
        PROGRAM(forks), PROGRAM(raw_fork), PROGRAM(vforks), PROGRAM(spawns), PROGRAM(execs),
        PROGRAM(exec_lists), PROGRAM(many_forks), PROGRAM(idles), PROGRAM(executes),
        PROGRAM(daemons), PROGRAM(closes), PROGRAM(deepbind), PROGRAM(killed), PROGRAM(aborts),
        PROGRAM(exits), PROGRAM(storm), PROGRAM(unmaps), PROGRAM(sealed), PROGRAM(sealed_fork),
        PROGRAM(starved_fork), PROGRAM(losing_fork), PROGRAM(fills_disk), PROGRAM(few_descriptors),
        PROGRAM(small_files), PROGRAM(no_space), PROGRAM(maps), PROGRAM(touches),
        PROGRAM(touches_heap), PROGRAM(alone), PROGRAM(waits), PROGRAM(nothing),
    };
    arguments = given;
    for (size_t i = 0; count > 1 && i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, given[1]))
            return known[i].body();
    return 2;
}

void work(void) { churn(200); } /* of the library that `deepbind` opens */
