/* Hooks: functions that would hide calls from the recorder, or stop it from writing. */

/* The real dlopen must be called by a tail call: dlopen looks up its caller, which must be the
 * program. */
EXPORT void *HOOK(dlopen)(const char *file, int flags)
{
    if (!RESOLVED)
        return NULL;
    if (flags & RTLD_DEEPBIND && process.header)
        flag(DEEPBIND);
    return real.dlopen(file, flags & ~RTLD_DEEPBIND);
}

EXPORT int HOOK(prctl)(int option, ...)
{
    LONGS(option, 4);
    if (!RESOLVED)
        return -1;
    int result = real.prctl(option, longs[0], longs[1], longs[2], longs[3]);
    if (option == PR_SET_SECCOMP && result == 0)
        kept.is_sealed = true;
    return result;
}

EXPORT long HOOK(syscall)(long number, ...)
{
    LONGS(number, 6);
    if (!RESOLVED)
        return -1;
    long result = real.syscall(number, longs[0], longs[1], longs[2], longs[3], longs[4], longs[5]);
    if (number == SYS_seccomp && longs[0] < 2 && result == 0) /* strict mode or a filter */
        kept.is_sealed = true;
    return result;
}
