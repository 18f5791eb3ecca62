// mip6ctl keying
#include <fmt/format.h>

#include "mnd/ctl/commands.hpp"
#include "mnd/ctl/layout.hpp"

namespace mip6ctl {

namespace {

std::string joined(const json& list) {
  std::string result;
  for (const auto& one : list)
    if (one.is_string()) result += (result.empty() ? "" : " ") + printable(one.get_ref<const std::string&>());
  return result;
}

std::string mobility_text(const json& answer) {
  if (flag(answer, "migration_failed").value_or(false)) return "moving them failed, they are made anew";
  const auto moves = flag(answer, "key_mobility");
  return !moves ? "not agreed yet" : *moves ? "they move with the node (K)" : "they are made anew after each move";
}

std::string charon_text(const json& charon) {
  if (!flag(charon, "reachable").value_or(false)) return "not reachable";
  const auto version = text(charon, "version");
  return version.empty() ? "reachable" : version;
}

}  // namespace

std::string render_keying(const json& answer) {
  const bool manual = text(answer, "method") == "manual";
  std::string result = row("keys", or_unknown(text(answer, "method")) + ", " + or_unknown(text(answer, "state")));
  result += row("protect", or_unknown(text(answer, "protects")));
  if (const auto agent = text(answer, "home_agent"); !agent.empty()) result += row("home agent", agent);
  if (!manual) {
    if (const auto endpoint = text(answer, "endpoint"); !endpoint.empty()) result += row("IKE from", endpoint);
    result += row("at a move", mobility_text(answer));
    result += row("identity", or_unknown(text(answer, "identity")));
    result += row("of the agent", or_unknown(text(answer, "home_agent_identity")));
    const auto until = text(answer, "certificate_until");
    result += row("proof", or_unknown(text(answer, "proof")) + (until.empty() ? "" : ", valid until " + until));
    result += row("IKE", joined(member(answer, "ike_proposals")));
    result += row("ESP", joined(member(answer, "esp_proposals")));
    result +=
        row("renewed", fmt::format("ESP within {}, IKE within {}", duration_text(number(answer, "rekey_s").value_or(0)),
                                   duration_text(number(answer, "ike_rekey_s").value_or(0))));
    result += row("charon", charon_text(member(answer, "charon")));
  }
  for (const auto& one : member(answer, "associations"))
    if (one.is_object())
      result += row("SA", fmt::format("{} {}: {} -> {}", text(one, "spi"), text(one, "use"), text(one, "source"),
                                      text(one, "destination")));
  return result;
}

int run_keying(const Options& options) { return show(options, "keying", render_keying); }

}  // namespace mip6ctl
