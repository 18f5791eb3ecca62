// mip6ctl links
#include <fmt/format.h>

#include "mnd/ctl/commands.hpp"
#include "mnd/ctl/layout.hpp"

namespace mip6ctl {

// An address and why it is used or not, the latter below it: both together are wider than a terminal.
std::string render_links(const json& answer) {
  std::string result;
  if (const auto on = text(answer, "paused_on"); !on.empty())
    result += fmt::format("paused: stays on {}, until: mip6ctl resume\n\n", on);
  for (const auto& link : member(answer, "links")) {
    if (!link.is_object()) continue;
    const auto use = or_unknown(text(link, "use"));
    const auto address = text(link, "address");
    const auto interface = or_unknown(text(link, "interface"));
    result += fmt::format("{:<9} {:<15} {}\n", use, interface, address.empty() ? "-" : address);
    auto why = or_unknown(text(link, "why"));
    if (const auto gateway = text(link, "gateway"); !gateway.empty() && use != "unusable")
      why += fmt::format("; router {}", gateway);
    for (const auto& line : wrapped(why, kColumns - 10)) result += fmt::format("{:<10}{}\n", "", line);
  }
  return result.empty() ? "no links are known yet\n" : result;
}

int run_links(const Options& options) { return show(options, "links", render_links); }

}  // namespace mip6ctl
