// The counting operator new and delete. One thread only, as everything that is measured here.
#include "tests/bench/heap.hpp"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace bench {
namespace {

Heap counted;

void* allocate(std::size_t size, std::size_t alignment) {
  void* block = alignment <= alignof(std::max_align_t)
                    ? std::malloc(size)
                    : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (block == nullptr) throw std::bad_alloc{};
  ++counted.allocations;
  counted.bytes += static_cast<std::int64_t>(malloc_usable_size(block));
  return block;
}

void release(void* block) {
  if (block == nullptr) return;
  counted.bytes -= static_cast<std::int64_t>(malloc_usable_size(block));
  std::free(block);
}

}  // namespace

const Heap& heap() { return counted; }

}  // namespace bench

// The forms for arrays and without exceptions call these.
void* operator new(std::size_t size) { return bench::allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return bench::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { bench::release(block); }
void operator delete(void* block, std::size_t) noexcept { bench::release(block); }
void operator delete(void* block, std::align_val_t) noexcept { bench::release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { bench::release(block); }
