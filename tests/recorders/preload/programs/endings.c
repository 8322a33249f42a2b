/* Programs that end early, or whose calls a signal handler leaves. */

static int killed(void)
{
    churn(20000); /* more than a window has room for */
    raise(SIGKILL);
    return 1;
}

static int aborts(void)
{
    churn(100);
    signal(SIGABRT, SIG_DFL);
    abort();
}

static int exits(void)
{
    churn(100);
    _exit(0);
}

static sigjmp_buf start;
static volatile int signals;

/* A call that glibc lets a signal handler interrupt and leave: it takes no lock. */
static void quick_call(void)
{
    volatile size_t huge = SIZE_MAX;
    if (arguments[2])
        kept = malloc(huge);
    else
        free(NULL);
}

static void handler(int number)
{
    if (arguments[2])
        quick_call();
    if (++signals % 3 == 0 && number == SIGALRM)
        siglongjmp(start, 1); /* it may leave the recorder in the middle of a record */
}

static int storm(void) /* signals at random moments */
{
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    volatile int done = 0;
    churn(2); /* before it is used in a handler, malloc must have set itself up */
    signal(SIGALRM, handler);
    while (done < 300) {
        if (sigsetjmp(start, 1) == 0) {
            if (done == 0) /* a signal before the first sigsetjmp would jump to an empty buffer */
                setitimer(ITIMER_REAL, &often, NULL);
            for (;;)
                quick_call();
        }
        done++;
    }
    signal(SIGALRM, SIG_IGN);
    setitimer(ITIMER_REAL, &never, NULL);
    churn(1000);
    return 0;
}
