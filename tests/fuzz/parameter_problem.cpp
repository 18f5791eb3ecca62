// Fuzz target: any bytes as an ICMPv6 Parameter Problem.
#include "libmip6/wire/parameter_problem.hpp"

#include "tests/fuzz/input.hpp"

using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto problem = mip6::parse_parameter_problem({data, size});
  if (!problem) {
    require(problem.error().offset <= size && !problem.error().reason.empty(), "an error says where and why");
    return 0;
  }
  constexpr std::size_t kHeaders = 8 + 40;
  require(size >= kHeaders, "what parses has both headers");
  require(!problem->home_address || size >= kHeaders + 24, "a home address is one that was quoted");
  return 0;
}
