// Preloaded by the programs under test: dies by SIGKILL at the entry of a chosen system call, as strace's inject does,
// but without a stop at each of the others, which in user-mode Linux makes a program twenty times slower, and without a
// process for it. The file KILL_AT names has two numbers of 32 bits: which call (its place among those below, from 1 on;
// 0: none), and how many more of them there are up to the deadly one. open: only those that make a file.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NONE, SENDTO, RECVMSG, PWRITE64, FDATASYNC, OPEN, FSYNC, RENAME };  // guest/killing.py has the same
static volatile int32_t nothing[2];
static volatile int32_t* armed = nothing;

__attribute__((constructor)) static void map(void) {
  const char* path = getenv("KILL_AT");
  const int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  void* at = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (at != MAP_FAILED) armed = at;
  if (file >= 0) close(file);
}

static void* real(int call, const char* name) {
  if (call != NONE && armed[0] == call && --armed[1] <= 0) {
    armed[0] = 0;
    kill(getpid(), SIGKILL);
  }
  return dlsym(RTLD_NEXT, name);
}

ssize_t sendto(int fd, const void* data, size_t size, int flags, const struct sockaddr* to, socklen_t length) {
  return ((ssize_t(*)(int, const void*, size_t, int, const struct sockaddr*, socklen_t))real(SENDTO, "sendto"))(
      fd, data, size, flags, to, length);
}
ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
  return ((ssize_t(*)(int, struct msghdr*, int))real(RECVMSG, "recvmsg"))(fd, message, flags);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  return ((ssize_t(*)(int, const void*, size_t, off64_t))real(PWRITE64, "pwrite64"))(fd, data, size, at);
}
int fdatasync(int fd) { return ((int (*)(int))real(FDATASYNC, "fdatasync"))(fd); }
int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  return ((int (*)(const char*, int, ...))real(flags & O_CREAT ? OPEN : NONE, "open"))(path, flags, mode);
}
int fsync(int fd) { return ((int (*)(int))real(FSYNC, "fsync"))(fd); }
int rename(const char* from, const char* to) {
  return ((int (*)(const char*, const char*))real(RENAME, "rename"))(from, to);
}
