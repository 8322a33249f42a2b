/* Call sites: the record of a call that allocates has the number of its stack. */

/* Return the memo of this thread's lane, or NULL if there is no room. In a thread that has ended, a
 * signal handler may leave the lane, and thus the memo, to another thread at any moment. */
static struct memo *memo_of_lane(void)
{
    if (self.state & THREAD_ENDED || (!self.lane && !more_room(false)))
        return NULL;
    struct lane *lane = __atomic_load_n(&self.lane, __ATOMIC_RELAXED);
    if (lane && !lane->memo && !kept.is_sealed)
        lane->memo = map_memory(sizeof *lane->memo);
    return lane ? lane->memo : NULL;
}

/* Return the number of the stack that begins with `frame`, or 0 if it cannot be recorded. */
static __attribute__((noinline)) uint64_t site_of(struct frame frame)
{
    struct stack stack;
    struct memo *memo = is_recording() && process.caches ? memo_of_lane() : NULL;
    stack.number = 0;
    if (memo) {
        walk(memo, frame, &stack);
        /* A second look into the cache could miss: another thread may have dropped the number. */
        if (!stack.number)
            stack.number = number_of(STACK, stack.hash, stack.addresses, stack.depth);
    }
    if (!stack.number && process.header)
        count(&process.header->siteless, 1);
    return stack.number;
}

/* In a hook: the number of the stack of its caller, or 0 if no stacks are recorded. */
#define SITE (UNLIKELY(kept.has_sites) ? site_of(CALLER) : 0)

EXPORT int HOOK(dlclose)(void *library)
{
    if (!RESOLVED)
        return -1;
    __atomic_fetch_add(&process.generation, 1, __ATOMIC_RELAXED);
    int result = real.dlclose(library);
    __atomic_fetch_add(&process.generation, 1, __ATOMIC_RELAXED);
    return result;
}
