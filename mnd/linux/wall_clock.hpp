// The time that people and certificates go by; anybody may set it. Lifetimes go by boot_now().
#pragma once

#include <chrono>
#include <cstdint>

namespace mnd::kernel {

// Seconds since 1970.
inline std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace mnd::kernel
