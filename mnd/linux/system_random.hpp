// The kernel's random numbers.
#pragma once

#include "libmip6/random.hpp"

namespace mnd::kernel {

class SystemRandom final : public mip6::Random {
 public:
  std::uint32_t draw() override;
};

}  // namespace mnd::kernel
