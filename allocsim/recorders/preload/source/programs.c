/* Hooks: exec and posix_spawn. Their records show which programs ran without the recorder. */

/* Record that a process starts a program, and whether the environment loads the recorder. */
static void note_exec(uint64_t when, pid_t started, const char *program, char *const *environment)
{
    uint64_t keeps = 0;
    for (; environment && *environment; environment++) {
        keeps |= !strncmp(*environment, "LD_PRELOAD=", 11) && strstr(*environment, "allocsim");
        keeps |= !strncmp(*environment, "ALLOCSIM_RECORD=", 16) ? 2 : 0;
    }
    if (is_recording())
        put_text(EXEC, when, keeps << 32 | (uint32_t)started, program);
}

/* Define a hook with the parameters of execve. */
#define EXEC(name, type, program_name)                                                             \
    EXPORT int HOOK(name)(type program, char *const *arguments, char *const *environment)          \
    {                                                                                              \
        if (!RESOLVED)                                                                             \
            return -1;                                                                             \
        note_exec(stamp(), getpid(), program_name, environment);                                   \
        int result = real.name(program, arguments, environment), error = errno;                    \
        if (is_recording())                                                                        \
            put(EXEC_FAILED, stamp(), 2, (uint64_t[]){getpid()});                                  \
        errno = error;                                                                             \
        return result;                                                                             \
    }
EXEC(execve, const char *, program)
EXEC(execvpe, const char *, program)
EXEC(fexecve, int, arguments[0] ? arguments[0] : "")

EXPORT int HOOK(execv)(const char *program, char *const *arguments)
{
    return HOOK(execve)(program, arguments, environ);
}

EXPORT int HOOK(execvp)(const char *program, char *const *arguments)
{
    return HOOK(execvpe)(program, arguments, environ);
}

/* Define a hook that passes a NULL-terminated list of arguments to another hook. */
#define EXEC_LIST(name, with_array, environment)                                                   \
    EXPORT int HOOK(name)(const char *program, const char *first, ...)                             \
    {                                                                                              \
        size_t count = 1;                                                                          \
        va_list list;                                                                              \
        va_start(list, first);                                                                     \
        while (va_arg(list, char *))                                                               \
            count++;                                                                               \
        va_end(list);                                                                              \
        char *arguments[count + 1];                                                                \
        arguments[0] = (char *)first;                                                              \
        va_start(list, first);                                                                     \
        for (size_t i = 1; i <= count; i++)                                                        \
            arguments[i] = va_arg(list, char *);                                                   \
        int result = HOOK(with_array)(program, arguments, environment);                            \
        va_end(list);                                                                              \
        return result;                                                                             \
    }
EXEC_LIST(execl, execve, environ)
EXEC_LIST(execlp, execvpe, environ)
EXEC_LIST(execle, execve, va_arg(list, char *const *))

#define SPAWN(name)                                                                               \
    EXPORT int HOOK(name)(pid_t *child, const char *program,                                       \
                          const posix_spawn_file_actions_t *actions,                               \
                          const posix_spawnattr_t *attributes, char *const *arguments,             \
                          char *const *environment)                                                \
    {                                                                                              \
        pid_t process_id;                                                                          \
        if (!RESOLVED)                                                                             \
            return EAGAIN;                                                                         \
        uint64_t when = stamp();                                                                   \
        int error = real.name(&process_id, program, actions, attributes, arguments, environment);  \
        if (error == 0) {                                                                          \
            note_exec(when, process_id, program, environment);                                     \
            if (child)                                                                             \
                *child = process_id;                                                               \
        }                                                                                          \
        return error;                                                                              \
    }
SPAWN(posix_spawn)
SPAWN(posix_spawnp)
