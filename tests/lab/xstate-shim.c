// Preloaded into user-mode Linux. Its kernel 6.1 keeps 2696 bytes of a process's extended registers; on processors with
// more of them (AMX: 11008 bytes) PTRACE_SETREGSET wants the whole area and answers EFAULT: "ptrace set fp regs failed,
// errno = 14", init dies. Here the area is completed with components in their initial state, which is what they are in:
// nobody in there may use them.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { kHeader = 512, kHeaderEnd = 576, kMax = 65536 };

typedef long (*ptrace_fn)(int, pid_t, void*, void*);

// Components 0 to 9 (x87 to PKRU) are within the 2696 bytes.
static const uint64_t kKept = 0x3ff;

static char whole[kMax] __attribute__((aligned(64)));
static size_t whole_size;

static size_t area_size(ptrace_fn real, pid_t pid) {
  struct iovec all = {whole, sizeof whole};
  return real(PTRACE_GETREGSET, pid, (void*)(uintptr_t)NT_X86_XSTATE, &all) == 0 ? all.iov_len : 0;
}

long ptrace(enum __ptrace_request request, ...) {
  static ptrace_fn real;
  if (!real) real = (ptrace_fn)dlsym(RTLD_NEXT, "ptrace");
  va_list rest;
  va_start(rest, request);
  pid_t pid = va_arg(rest, pid_t);
  void* address = va_arg(rest, void*);
  void* data = va_arg(rest, void*);
  va_end(rest);
  if (request != PTRACE_SETREGSET || (uintptr_t)address != NT_X86_XSTATE) return real(request, pid, address, data);
  const struct iovec* given = data;
  if (!whole_size) whole_size = area_size(real, pid);
  if (given->iov_len >= whole_size || given->iov_len < kHeaderEnd) return real(request, pid, address, data);
  memset(whole, 0, whole_size);
  memcpy(whole, given->iov_base, given->iov_len);
  uint64_t in_use;
  memcpy(&in_use, whole + kHeader, sizeof in_use);
  in_use &= kKept;
  memcpy(whole + kHeader, &in_use, sizeof in_use);
  struct iovec completed = {whole, whole_size};
  return real(request, pid, address, &completed);
}
