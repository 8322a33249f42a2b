/* Programs that begin other processes, or execute other programs. */

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
