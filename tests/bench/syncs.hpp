// How often the disk was asked to make something durable.
#pragma once

#include <cstdint>

namespace bench {

// fsync() and fdatasync(), of the whole program and its libraries.
std::uint64_t syncs();

}  // namespace bench
