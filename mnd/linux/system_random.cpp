#include "mnd/linux/system_random.hpp"

#include <sys/random.h>

#include <cassert>

namespace mnd::kernel {

std::uint32_t SystemRandom::draw() {
  std::uint32_t value = 0;
  // So few bytes are given whole, and without waiting once the system has booted.
  [[maybe_unused]] const auto got = ::getrandom(&value, sizeof value, 0);
  assert(got == sizeof value);
  return value;
}

}  // namespace mnd::kernel
