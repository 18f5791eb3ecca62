// See other_agents.hpp.
#include "examples/home-agent/other_agents.hpp"

#include <sstream>
#include <string>

#include "mnd/linux/durable_file.hpp"

namespace mip6ha {

OtherAgents::OtherAgents(const std::filesystem::path& state_directory) : file_{state_directory / "other-agents"} {
  const auto content = mnd::kernel::read_durable(file_);
  unreadable_ = !content;
  if (!content || !*content) return;
  std::istringstream lines{**content};
  for (std::string line; std::getline(lines, line);) {
    const auto address = mip6::Ipv6Address::parse(line);
    if (!address)
      unreadable_ = true;
    else if (known_.size() < kMost)
      known_.insert(*address);
  }
}

tl::expected<void, mip6::Error> OtherAgents::saw(const mip6::Ipv6Address& home_agent) {
  if (known_.size() >= kMost || !known_.insert(home_agent).second) return {};
  std::string content;
  for (const auto& one : known_) content += one.to_string() + "\n";
  return mnd::kernel::replace_durably(file_, content);
}

}  // namespace mip6ha
