// Preloaded by mnd: a machine that has slept. The file ASLEEP names has a number of 64 bits: the seconds by which
// CLOCK_BOOTTIME is ahead of the kernel's. Timers are armed by the kernel's, so those armed before do not expire.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t nothing;
static volatile int64_t* slept = &nothing;

__attribute__((constructor)) static void map(void) {
  const char* path = getenv("ASLEEP");
  const int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void* at = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *slept, PROT_READ, MAP_SHARED, file, 0);
  if (at != MAP_FAILED) slept = at;
  if (file >= 0) close(file);
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  static int (*real)(clockid_t, struct timespec*);
  if (real == NULL) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, now);
  if (result == 0 && clock == CLOCK_BOOTTIME) now->tv_sec += *slept;
  return result;
}

int timerfd_settime(int timer, int flags, const struct itimerspec* value, struct itimerspec* former) {
  static int (*real)(int, int, const struct itimerspec*, struct itimerspec*);
  if (real == NULL)
    real = (int (*)(int, int, const struct itimerspec*, struct itimerspec*))dlsym(RTLD_NEXT, "timerfd_settime");
  struct itimerspec awake = *value;
  if (flags & TFD_TIMER_ABSTIME && awake.it_value.tv_sec > *slept) awake.it_value.tv_sec -= *slept;
  return real(timer, flags, &awake, former);
}
