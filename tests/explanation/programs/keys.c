/* A copy of each key stays after its record has been freed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) static char *copy_key(const char *text) {
    return strdup(text); /* guilty */
}

__attribute__((noinline)) static char *read_record(int number) {
    char *record = malloc(2000);
    snprintf(record, 2000, "a long key of record number %d, and more text of the key", number);
    return record;
}

int main(int argc, char **arguments) {
    int count = atoi(arguments[1]) * 3 / 4;
    char **records = malloc(count * sizeof *records), **keys = malloc(count * sizeof *keys);
    for (int number = 0; number < count; number++) {
        records[number] = read_record(number);
        keys[number] = copy_key(records[number]);
    }
    for (int number = 0; number < count; number++) free(records[number]);
    return keys[count - 1] == NULL;
}
