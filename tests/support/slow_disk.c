/* A disk that is slow to say that data is safe: loaded into a process with LD_PRELOAD, it delays every call that waits for the disk by
   SLOW_DISK_MS milliseconds, as long as the file SLOW_DISK_WHILE exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_for_the_disk(void) {
  const char *text = getenv("SLOW_DISK_MS");
  const char *file = getenv("SLOW_DISK_WHILE");
  if (!file || access(file, F_OK) != 0)
    return;
  long milliseconds = text ? atol(text) : 0;
  struct timespec delay = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&delay, NULL);
}

#define SLOW(name)                                             \
  int name(int fd) {                                           \
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name); \
    wait_for_the_disk();                                       \
    return real(fd);                                           \
  }

SLOW(fsync)
SLOW(fdatasync)
SLOW(syncfs)
