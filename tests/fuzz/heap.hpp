// How much a core keeps on the heap, as AddressSanitizer counts it.
#pragma once

#include <cstddef>

#include "tests/fuzz/input.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define MND_COUNTS_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MND_COUNTS_HEAP 1
#endif
#endif
#ifdef MND_COUNTS_HEAP
// As in clang's <sanitizer/allocator_interface.h>; g++ has the function, but not the header.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace fuzz {

// Bytes allocated now; zero in a build without AddressSanitizer.
inline std::size_t heap() {
#ifdef MND_COUNTS_HEAP
  return __sanitizer_get_current_allocated_bytes();
#else
  return 0;
#endif
}

// `most`: bytes that may have been added since heap() was `before`.
inline void require_bounded(std::size_t before, std::size_t most) {
  require(heap() <= before + most, "the memory that is kept is bounded");
}

}  // namespace fuzz
