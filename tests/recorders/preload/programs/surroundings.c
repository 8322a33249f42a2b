/* Programs that take from the recorder what it needs: descriptors, mappings, memory, files, system
 * calls. */

static int closes(void) /* closes descriptors that it did not open, and writes to a file of its own */
{
    char content[16] = "";
    churn(100);
    closefrom(3);
    syscall(SYS_close_range, 3, ~0U, 0);
    churn(20000); /* more than a window has room for */
    for (int i = 3; i < 256; i++)
        close(i);
    int file = open(arguments[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
    int is_lowest = file == 3;
    churn(20000); /* more than a window has room for */
    ssize_t written = write(file, "my data", 7);
    ssize_t length = pread(file, content, sizeof content, 0);
    return !is_lowest || written != 7 || length != 7 || memcmp(content, "my data", 7);
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
    churn(20000);
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
    churn(20000);
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
    churn(20000);
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
