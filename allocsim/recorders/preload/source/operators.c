/* Hooks: operator new and delete.
 *
 * The operators of libstdc++ call malloc and free, whose hooks record the calls. The operators of
 * tcmalloc, jemalloc and mimalloc do not always call malloc and free. So the hooks here record the
 * operators that come from the same library as free. Every delete is recorded. A new is recorded
 * unless malloc has just recorded it. */

/* Return the program's operator of that name. If only a plugin has loaded the operator's library,
 * RTLD_NEXT does not find it. */
static void *operator_named(const char *name)
{
    static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};
    void *found = RESOLVED ? dlsym(RTLD_NEXT, name) : NULL;
    for (size_t i = 0; !found && i < sizeof libraries / sizeof *libraries; i++) {
        void *library = real.dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        found = library ? dlsym(library, name) : NULL;
    }
    if (!found)
        abort(); /* without the recorder, the program could not run either */
    return found;
}

/* Return whether a function comes from the same library as free. */
static bool is_of_malloc(void *function)
{
    Dl_info one, other;
    return dladdr(function, &one) && dladdr((void *)real.free, &other) &&
           one.dli_fbase == other.dli_fbase;
}

typedef void *new_function(size_t, uintptr_t, uintptr_t);
typedef void delete_function(void *, uintptr_t, uintptr_t);

/* A call of an operator new that comes from the same library as free. */
struct new_call {
    enum op op;
    size_t size, alignment;
    uint64_t site;
    void *result; /* NULL until the operator returns */
};

/* The unwinder's functions. If no library of the program has them, no function throws. */
__asm__(".weak __gcc_personality_v0\n.weak _Unwind_Resume");

/* Record a call, unless malloc has recorded it. This runs when the hook returns, and also when the
 * exception of a failed call passes the hook. By then, libstdc++ has allocated the exception, so
 * self.allocated says nothing about the failed call. */
static void end_new(struct new_call *call)
{
    void *result = call->result;
    bool is_recorded = result ? self.allocated == ((uintptr_t)result & ADDRESS) : self.has_failed;
    if (!is_recorded && !put_block(call->op, result, call->size, call->alignment))
        allocated(call->op, result, call->size, call->alignment, call->site);
}

/* Define the hooks of operators new and new[]. The second argument may be an alignment. An operator
 * with fewer arguments ignores the rest. */
#define NEW_OPERATOR(name, op, alignment)                                                          \
    EXPORT void *HOOK(name)(size_t size, uintptr_t second, uintptr_t third)                        \
    {                                                                                              \
        static new_function *function;                                                             \
        static bool is_malloc;                                                                     \
        if (!function) {                                                                           \
            is_malloc = is_of_malloc(operator_named(#name));                                       \
            function = (new_function *)operator_named(#name);                                      \
        }                                                                                          \
        if (!is_malloc)                                                                            \
            return function(size, second, third);                                                  \
        __attribute__((cleanup(end_new))) struct new_call call = {op, size, alignment, SITE, NULL};\
        self.allocated = 0;                                                                        \
        self.has_failed = false;                                                                   \
        return call.result = function(size, second, third);                                        \
    }
#define NEW_OPERATORS(types, op, alignment)                                                        \
    NEW_OPERATOR(_Znw##types, op, alignment)                                                       \
    NEW_OPERATOR(_Zna##types, op, alignment)
NEW_OPERATORS(m, NEW, 0)
NEW_OPERATORS(mRKSt9nothrow_t, NEW, 0)
NEW_OPERATORS(mSt11align_val_t, NEW_ALIGNED, second)
NEW_OPERATORS(mSt11align_val_tRKSt9nothrow_t, NEW_ALIGNED, second)

#define DELETE_OPERATOR(name)                                                                      \
    EXPORT void HOOK(name)(void *address, uintptr_t second, uintptr_t third)                       \
    {                                                                                              \
        static delete_function *function;                                                          \
        static bool is_malloc;                                                                     \
        if (!function) {                                                                           \
            is_malloc = is_of_malloc(operator_named(#name));                                       \
            function = (delete_function *)operator_named(#name);                                   \
        }                                                                                          \
        if (is_malloc) {                                                                           \
            if (!put_owned(DELETE, (uintptr_t)address, 0))                                         \
                freed(DELETE, address);                                                            \
            self.deleting = address;                                                               \
            self.state |= DELETING;                                                                \
        }                                                                                          \
        function(address, second, third);                                                          \
        self.state &= ~DELETING;                                                                   \
    }
#define DELETE_OPERATORS(types) DELETE_OPERATOR(_Zdl##types) DELETE_OPERATOR(_Zda##types)
DELETE_OPERATORS(Pv)
DELETE_OPERATORS(Pvm)
DELETE_OPERATORS(PvRKSt9nothrow_t)
DELETE_OPERATORS(PvSt11align_val_t)
DELETE_OPERATORS(PvmSt11align_val_t)
DELETE_OPERATORS(PvSt11align_val_tRKSt9nothrow_t)
