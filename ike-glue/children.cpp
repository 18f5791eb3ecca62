// Modes and selectors of the CHILD_SAs.
#include "ike-glue/children.hpp"

#include <fmt/format.h>

#include <utility>

#include "ike-glue/vici_number.hpp"

namespace ike {
namespace {

// Protocols as numbers: a machine without /etc/protocols knows no names.
constexpr std::string_view kMobilityHeader = "135";  // RFC 6275 section 6.1.1
// ICMPv6 (58), types 146 and 147 (RFC 6275 sections 6.7 and 6.8), where a port has its upper byte.
constexpr std::string_view kPrefixSolicitation = "58/37376";
constexpr std::string_view kPrefixAdvertisement = "58/37632";

Selector host(const mip6::Ipv6Address& address, std::string_view protocol) {
  return {{address, 128}, std::string(protocol)};
}

std::string text(const Selector& selector) {
  const auto prefix = fmt::format("{}/{}", selector.prefix.address.to_string(), selector.prefix.length);
  return selector.protocol.empty() ? prefix : fmt::format("{}[{}]", prefix, selector.protocol);
}

// charon writes selectors its own way (names of protocols, types in brackets): what counts is the prefix, and that a
// protocol is there or not.
bool is_narrowed(const Section& child, std::string_view key, const Selector& asked) {
  const auto* list = child.list(key);
  if (!list) return false;
  const auto prefix = fmt::format("{}/{}", asked.prefix.address.to_string(), asked.prefix.length);
  return list->size() != 1 || !list->front().starts_with(prefix) ||
         (asked.protocol.empty() && list->front().size() > prefix.size());
}

}  // namespace

std::string_view name_of(ChildKind kind) {
  switch (kind) {
    case ChildKind::kMobility:
      return "reg";
    case ChildKind::kPayload:
      return "pay";
    case ChildKind::kPrefixes:
      return "mpd";
  }
  return {};
}

Child child_at_node(ChildKind kind, const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& home_agent) {
  switch (kind) {
    case ChildKind::kMobility:
      return {.kind = kind, .local = host(home_address, kMobilityHeader), .remote = host(home_agent, kMobilityHeader)};
    case ChildKind::kPayload:
      return {.kind = kind, .local = host(home_address, ""), .remote = {}};
    case ChildKind::kPrefixes:
      return {.kind = kind,
              .local = host(home_address, kPrefixSolicitation),
              .remote = host(home_agent, kPrefixAdvertisement)};
  }
  return {};
}

Child child_at_agent(ChildKind kind, const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& home_agent) {
  auto child = child_at_node(kind, home_address, home_agent);
  std::swap(child.local, child.remote);
  return child;
}

Section describe(const Child& child, const std::vector<std::string>& esp_proposals) {
  Section section;
  section.set("mode", child.kind == ChildKind::kPayload ? "tunnel" : "transport_proxy")
      .set("policies", "no")  // they are the daemon's; charon rewrites its own at a move
      .set("reqid", std::to_string(child.reqid))
      .set("local_ts", Section::List{text(child.local)})
      .set("remote_ts", Section::List{text(child.remote)})
      .set("esp_proposals", esp_proposals)
      .set("rekey_time", fmt::format("{}s", child.rekey.count()))
      .set("start_action", "none")
      .set("dpd_action", "none")
      .set("close_action", "none");
  return section;
}

std::optional<ChildSa> find_child(const Section& children, const Child& child) {
  std::optional<ChildSa> found;
  for (const auto& [key, value] : children.entries()) {
    const auto* section = std::get_if<Section>(&value);
    if (!section || number<std::uint32_t>(*section, "reqid", 10) != child.reqid) continue;
    const auto state = section->text_or("state", "");
    const bool installed = state == "INSTALLED" || state == "REKEYING";
    // After a rekey the old CHILD_SA is listed for some seconds as DELETED or REKEYED, beside the new one.
    if (found && found->installed && !installed) continue;
    const auto mode = child.kind == ChildKind::kPayload ? "TUNNEL" : "TRANSPORT_PROXY";
    found =
        ChildSa{.id = number<std::uint64_t>(*section, "uniqueid", 10),
                .spi_in = number<std::uint32_t>(*section, "spi-in", 16),
                .spi_out = number<std::uint32_t>(*section, "spi-out", 16),
                .installed = installed,
                .age = age(*section, "install-time"),
                .as_asked = section->text_or("mode", mode) == mode && !is_narrowed(*section, "local-ts", child.local) &&
                            !is_narrowed(*section, "remote-ts", child.remote)};
  }
  return found;
}

}  // namespace ike
