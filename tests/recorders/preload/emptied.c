/* The recorder in a program that is killed while a full window is cleared for the second time. */
#define HOOK(name) recorded_##name
#define memset clear /* the recorder clears a window by memset */
#include "recorder.c"

enum { CALLS = 1 << 20 }; /* more than two windows have room for */

void *clear(void *bytes, int value, size_t length)
{
    static int windows;
    for (size_t i = 0; i < length; i++) {
        ((char *)bytes)[i] = value;
        if (length > CHUNK / 2 && i == length / 2 && ++windows == 2)
            raise(SIGKILL);
    }
    return bytes;
}

int main(void)
{
    for (size_t i = 1; i < CALLS; i++)
        recorded_free(recorded_malloc(i % 1000));
    return 0;
}
