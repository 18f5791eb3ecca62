// What two nodes must not share: the name picks the connection and the reqid, the home address the security
// association, the identity what charon authenticates (RFC 6275 section 15.3: one home address for one identity).
// Included by config.cpp only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "examples/home-agent/config.hpp"

namespace mip6ha {

// Sees every section once; a mistake names the place of the section that had it before. Sections must stay where they
// are meanwhile.
class Uniqueness {
 public:
  using Section = mnd::kernel::ConfigSection;

  // `remedy`: empty for what a section says by itself.
  // True: nobody has it yet.
  bool check(std::string_view what, const std::string& value, const Section& section, Mistakes& mistakes,
             std::string_view remedy = {});
  // The same for manual keys: the file of one node copied for another.
  void check_manual_keys(const NodeConfig& node, const Section& section, Mistakes& mistakes);
  // With one secret for both, each could pose as the other towards charon, whatever identity it is to have.
  void check_secret(const NodeConfig& node, const Section& section, Mistakes& mistakes);

 private:
  std::map<std::string, const Section*> seen_;
  std::map<std::string, const Section*> secrets_;
  std::map<mnd::kernel::KeyBytes, const Section*> manual_keys_;
  std::map<std::uint32_t, const Section*> spis_;
};

}  // namespace mip6ha
