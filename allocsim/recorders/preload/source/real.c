/* The functions that the program would call without the recorder. */

#define FOR_EACH_FUNCTION(DO)                                                                      \
    DO(syscall) DO(prctl) DO(dlopen) DO(dlclose) DO(brk) DO(sbrk)                                  \
    DO(execve) DO(execvpe) DO(fexecve) DO(posix_spawn) DO(posix_spawnp)                            \
    DO(calloc) DO(realloc) DO(memalign) DO(aligned_alloc) DO(valloc) DO(pvalloc)                   \
    DO(posix_memalign) DO(free) DO(malloc_usable_size) DO(malloc) /* malloc last, see RESOLVED */

#define FIELD(name) __typeof__(name) *name;
static struct { FOR_EACH_FUNCTION(FIELD) } real;

static uintptr_t malloc_code; /* the code of the library that malloc comes from */
static size_t malloc_code_size;

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

/* Set malloc_code if malloc is in this object; return whether it is. dl_iterate_phdr calls this. */
static int find_malloc_code(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size, (void)unused;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = object->dlpi_phdr + i;
        uintptr_t begin = object->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD || (uintptr_t)real.malloc - begin >= part->p_memsz)
            continue;
        malloc_code = begin;
        malloc_code_size = part->p_memsz;
        return true;
    }
    return false;
}

/* Find the functions. Return false if a call of resolve() is still under way. */
static bool resolve(void)
{
    static bool is_resolving;
    if (is_resolving)
        return false;
    is_resolving = true;
#define FIND(name) real.name = dlsym(RTLD_NEXT, #name);
    FOR_EACH_FUNCTION(FIND)
    dl_iterate_phdr(find_malloc_code, NULL);
    kept.has_sites = is_set("ALLOCSIM_RECORD_SITES");
    is_resolving = false;
    return real.malloc != NULL;
}

#define RESOLVED (LIKELY(real.malloc) || resolve())

/* Declare `longs`, the next `count` arguments. Those that the caller has not passed are garbage. */
#define LONGS(last, count)                                                                         \
    long longs[count];                                                                             \
    va_list list;                                                                                  \
    va_start(list, last);                                                                          \
    for (int i = 0; i < count; i++)                                                                \
        longs[i] = va_arg(list, long);                                                             \
    va_end(list)

static char arena[32 << 10] __attribute__((aligned(16)));

/* Return zeroed memory for dlsym, which may allocate before the real malloc is found. The memory is
 * never freed. Return NULL if the arena is full or the alignment is above 16 bytes. */
static void *bootstrap(size_t size, size_t alignment)
{
    static size_t used;
    size_t start = used;
    if (alignment > 16 || size > sizeof arena - start)
        return NULL;
    used += (size + 15) / 16 * 16;
    return arena + start;
}

static bool is_bootstrap(const void *address)
{
    return (uintptr_t)address - (uintptr_t)arena < sizeof arena;
}
