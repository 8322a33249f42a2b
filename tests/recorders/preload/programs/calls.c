/* Programs that make calls of every kind, or get memory in other ways. */

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

static int touches_heap(void) /* a large block in the same region of addresses as small blocks */
{
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    churn(100);
    char *sparse = malloc(4 << 20);
    memset(sparse, 1, 1 << 20);
    churn(100);
    free(sparse);
    return 0;
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
