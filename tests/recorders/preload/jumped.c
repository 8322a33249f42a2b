/* The recorder in threads that end after a signal handler has jumped out of a call: after its first
 * instruction in the first thread, after its second one in the second thread, and so on. The threads
 * run one after the other. Prints the number of threads, and of lanes that they have used. */
#define HOOK(name) recorded_##name
#include "recorder.c"
#include <setjmp.h>
#include <stdio.h>

#define TRAP_FLAG 0x100 /* after each instruction, the CPU raises SIGTRAP */

static jmp_buf before;
static volatile long instructions; /* until the jump */

static void count_down(int number)
{
    (void)number;
    if (instructions-- == 0)
        longjmp(before, 1); /* the kernel has cleared the flag for the handler */
}

static void *leave_call(void *nothing)
{
    recorded_free(NULL); /* the thread takes a lane */
    if (setjmp(before) == 0) {
        __writeeflags(__readeflags() | TRAP_FLAG);
        recorded_free(NULL);
        __writeeflags(__readeflags() & ~TRAP_FLAG);
    }
    return nothing;
}

int main(void)
{
    struct sigaction action = {.sa_handler = count_down, .sa_flags = SA_NODEFER};
    pthread_t thread;
    long threads = 0;
    sigaction(SIGTRAP, &action, NULL);
    do {
        instructions = threads++;
        pthread_create(&thread, NULL, leave_call, NULL);
        pthread_join(thread, NULL);
    } while (instructions < 0); /* the last thread has made the whole call */
    printf("%ld %u\n", threads, process.lanes_used);
    return 0;
}
