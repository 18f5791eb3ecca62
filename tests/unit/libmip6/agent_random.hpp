// Random numbers for tests: the same in each run.
#pragma once

#include <random>

#include "libmip6/random.hpp"

namespace mip6::test {

class Drawn final : public Random {
 public:
  std::uint32_t draw() override { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937 engine_{1};
};

}  // namespace mip6::test
