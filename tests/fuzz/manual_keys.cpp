// Fuzz target: any bytes as a file of manual keys. What is accepted has keys that are worth something; what is refused
// is told with line and remedy, and with nothing that could be of a key.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "mnd/linux/manual_keys.hpp"

using namespace mnd::kernel;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void require_good(const ManualSa& sa) {
  require(sa.spi >= 256);
  require(sa.encryption_key.size() == 16 || sa.encryption_key.size() == 32);
  require(sa.integrity_key.size() == traits_of(sa.integrity).key_size);
  require(std::adjacent_find(sa.encryption_key.begin(), sa.encryption_key.end(), std::not_equal_to<>{}) !=
          sa.encryption_key.end());
}

// The longest row of hexadecimal digits in a mistake: names of settings and algorithms have short ones only.
std::size_t longest_hex(std::string_view text) {
  std::size_t longest = 0, row = 0;
  for (const char c : text) {
    const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    row = digit ? row + 1 : 0;
    longest = std::max(longest, row);
  }
  return longest;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  const auto keys = parse_manual_keys(text, "keys");
  if (!keys) {
    require(!keys.error().empty());
    for (const auto& mistake : keys.error()) {
      require(mistake.line >= 0 && mistake.line <= lines && !mistake.what.empty() && !mistake.remedy.empty());
      require(longest_hex(mistake.what) <= 10 && longest_hex(mistake.remedy) <= 10);
    }
    return 0;
  }
  require_good(keys->to_home_agent);
  require_good(keys->to_node);
  require(keys->to_home_agent.spi != keys->to_node.spi);
  require(keys->to_home_agent.integrity_key != keys->to_node.integrity_key);
  return 0;
}
