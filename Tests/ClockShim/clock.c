// A machine's clock that jumps while a process runs: loaded by LD_PRELOAD, it adds what stands in the file
// LIANFEN_CLOCK, milliseconds as eight bytes, to the time of day. What only counts on (CLOCK_MONOTONIC) is left as it
// is, and so are the times of files.
//
// Debian's libfaketime does not do here: its constructor changes the environment, behind which Swift's runtime looks
// for the words of the command line, and then finds none.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *jump;

__attribute__((constructor)) static void find(void) {
    const char *path = getenv("LIANFEN_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *place = mmap(0, sizeof *jump, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (place != MAP_FAILED) jump = place;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    long code = syscall(SYS_clock_gettime, clock, now);
    if (code || !jump || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return (int)code;
    int64_t nanoseconds = now->tv_nsec + *jump % 1000 * 1000000;
    now->tv_sec += *jump / 1000 + (nanoseconds >= 1000000000) - (nanoseconds < 0);
    now->tv_nsec = (nanoseconds + 1000000000) % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}
