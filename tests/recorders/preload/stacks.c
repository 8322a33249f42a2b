/* Calls of malloc in frames of all shapes. For each call, a line has the size and the stack that
 * backtrace() of libc finds: return addresses, the innermost first, from the function that calls
 * malloc. No two calls have the same size, so the recorded call can be found. */
#define _GNU_SOURCE
#include <alloca.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *volatile kept;
static char lines[1 << 20], *end = lines;
static size_t size = 5001;

__attribute__((noinline)) static void leaf(void)
{
    void *stack[300];
    int count = backtrace(stack, 300);
    switch (size % 3) {
    case 0: kept = malloc(size); break;
    case 1: kept = calloc(1, size); break;
    default: kept = realloc(kept, size);
    }
    end += sprintf(end, "%zu", size++);
    for (int i = 1; i < count; i++)
        end += sprintf(end, " %lx", (unsigned long)stack[i]);
    end += sprintf(end, "\n");
}

typedef void shape(int depth, void *const *next); /* `next` are shapes, too */

static void go_on(int depth, void *const *next)
{
    if (depth == 0)
        leaf();
    else
        ((shape *)*next)(depth - 1, next + 1);
}

#define SHAPE(name, before)                                                                        \
    __attribute__((noinline)) static void name(int depth, void *const *next)                      \
    {                                                                                              \
        before;                                                                                    \
        go_on(depth, next);                                                                        \
        __asm__ volatile("" ::: "memory");                                                         \
    }
#define USE(variable) __asm__ volatile("" : : "r"(variable) : "memory")
SHAPE(plain, )
SHAPE(small, volatile char bytes[40]; USE(bytes))
SHAPE(large, volatile char bytes[100000]; USE(bytes))
SHAPE(variable, char *bytes = alloca(16 * depth + 100); USE(bytes))
SHAPE(aligned, char bytes[100] __attribute__((aligned(128))); USE(bytes))
SHAPE(aligned_variable, char bytes[100] __attribute__((aligned(64)));
      char *more = alloca(depth + 1); USE(bytes); USE(more))
#ifdef __x86_64__
SHAPE(saves, __asm__ volatile("" ::: "rbx", "r12", "r13", "r14", "r15"))
#else
SHAPE(saves, )
#endif
__attribute__((noinline, optimize("no-omit-frame-pointer"))) static void framed(int depth,
                                                                                void *const *next)
{
    go_on(depth, next);
    __asm__ volatile("" ::: "memory");
}

static shape *const shapes[] = {plain, small, large, variable, aligned, aligned_variable, saves,
                                framed};
enum { SHAPES = sizeof shapes / sizeof *shapes };
static int depth_of_sort;
static void *const *next_of_sort;

static int compare(const void *one, const void *other)
{
    if (next_of_sort) {
        void *const *next = next_of_sort;
        next_of_sort = NULL;
        go_on(depth_of_sort, next);
    }
    return *(const char *)one - *(const char *)other;
}

SHAPE(sorts, char letters[] = "ba"; depth_of_sort = depth; next_of_sort = next;
      qsort(letters, 2, 1, compare); depth = 0)

static void *thread(void *seed)
{
    void *chosen[40];
    unsigned random = (uintptr_t)seed;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 40; i++)
            chosen[i] = shapes[(random = random * 1664525 + 1013904223) >> 16 & (SHAPES - 1)];
        go_on(random >> 8 & 31, chosen);
    }
    sorts(5, chosen);
    return NULL;
}

int main(int count, char **arguments)
{
    void *stack[4];
    pthread_t other;
    backtrace(stack, 4); /* it loads a library at the first call */
    thread((void *)(uintptr_t)(count > 1 ? atoi(arguments[1]) : 1));
    pthread_create(&other, NULL, thread, (void *)2);
    pthread_join(other, NULL);
    for (int i = 2; i < count; i++) { /* libraries that are loaded one after the other */
        void *library = dlopen(arguments[i], RTLD_NOW);
        void (*call)(void (*)(void)) = library ? (void (*)(void (*)(void)))dlsym(library, "call") : 0;
        if (!call)
            return 1;
        call(leaf);
        dlclose(library);
    }
    fwrite(lines, 1, end - lines, stdout);
    return 0;
}

void call(void (*function)(void)) /* of the libraries */
{
    function();
    __asm__ volatile("" ::: "memory");
}
