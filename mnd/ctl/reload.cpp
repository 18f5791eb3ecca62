// mip6ctl reload
#include <fmt/format.h>

#include "mnd/ctl/next_start.hpp"

namespace mip6ctl {

namespace {

std::string render(const json& answer) {
  std::string changed;
  for (const auto& one : member(answer, "changed"))
    if (one.is_string()) changed += (changed.empty() ? "" : ", ") + printable(one.get_ref<const std::string&>());
  if (changed.empty()) return "nothing has changed\n";
  const auto effect = text(answer, "effect");
  const auto* how = effect == "takes over"    ? "; mnd has started again for it, and goes on"
                    : effect == "starts anew" ? "; mnd has de-registered and started anew for it"
                                              : "";
  return fmt::format("changed: {}{}\n", changed, how);
}

}  // namespace

int run_reload(const Options& options) { return have_started(options, "reload", render); }

}  // namespace mip6ctl
