// The C library's two calls, in its place.
#include "tests/bench/syncs.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace {

std::atomic<std::uint64_t> count{0};

}  // namespace

extern "C" int fsync(int file) {
  ++count;
  return static_cast<int>(::syscall(SYS_fsync, file));
}

extern "C" int fdatasync(int file) {
  ++count;
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}

namespace bench {

std::uint64_t syncs() { return count; }

}  // namespace bench
