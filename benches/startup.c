// How long from starting a program until the first byte has passed through it and `cat`.
//
//   startup spawn CAT           the floor: a program that only spawns CAT and waits for it
//   startup bench N PROGRAM CAT times this file's `spawn` and `PROGRAM tap -- CAT` in turns, N times each;
//                               prints both medians in microseconds, and the ratio
//
// C, and linked statically: the harness and the floor cost as little as can be.
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void fail(const char *what) {
    fprintf(stderr, "startup: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double once(char *const arguments[]) {
    int in[2], out[2];
    if (pipe(in) || pipe(out)) fail("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    for (int i = 0; i < 2; i++) {
        posix_spawn_file_actions_addclose(&actions, in[i]);
        posix_spawn_file_actions_addclose(&actions, out[i]);
    }
    // The byte is there before the program is: nothing but the program is waited for.
    if (write(in[1], "x", 1) != 1) fail("write");
    double start = now();
    pid_t child;
    if ((errno = posix_spawn(&child, arguments[0], &actions, NULL, arguments, environ))) fail(arguments[0]);
    close(in[0]);
    close(out[1]);
    char byte;
    if (read(out[0], &byte, 1) != 1) fail("nothing came through");
    double took = now() - start;
    close(in[1]);
    close(out[0]);
    waitpid(child, NULL, 0);
    posix_spawn_file_actions_destroy(&actions);
    return took;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **arguments) {
    if (count == 3 && !strcmp(arguments[1], "spawn")) {
        pid_t child;
        int status;
        char *command[] = {arguments[2], NULL};
        if ((errno = posix_spawn(&child, command[0], NULL, NULL, command, environ))) fail(command[0]);
        waitpid(child, &status, 0);
        return WEXITSTATUS(status);
    }
    if (count != 5 || strcmp(arguments[1], "bench")) return 2;
    int times = atoi(arguments[2]);
    double *floor = calloc(times, sizeof *floor), *tap = calloc(times, sizeof *tap);
    char *spawn[] = {arguments[0], "spawn", arguments[4], NULL};
    char *wrapped[] = {arguments[3], "tap", "--", arguments[4], NULL};
    for (int i = 0; i < times; i++) {
        floor[i] = once(spawn);
        tap[i] = once(wrapped);
    }
    qsort(floor, times, sizeof *floor, by_size);
    qsort(tap, times, sizeof *tap, by_size);
    double low = floor[times / 2], high = tap[times / 2];
    printf("%.0f %.0f %.2f\n", low, high, high / low);
    return 0;
}
