// Where the cores take chance from: passed in, so that a test or a simulation decides it with a seed.
#pragma once

#include <cstdint>

namespace mip6 {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint32_t draw() = 0;  // uniform over all 32 bits
};

}  // namespace mip6
