// The CHILD_SAs of a node's IKE connection: `reg` for the Mobility Header, and those beside it in the same IKE_SA (RFC
// 4877 sections 5 and 7.2). No I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ike-glue/vici.hpp"
#include "libmip6/address.hpp"

namespace ike {

enum class ChildKind {
  kMobility,  // Mobility Header: the one whose keys the registration waits for
  kPayload,   // all that is tunnelled between node and home agent, in tunnel mode
  kPrefixes,  // mobile prefix discovery
};

// One that is wanted beside the Mobility Header's.
struct FurtherChild {
  ChildKind kind = ChildKind::kPayload;
  std::uint32_t reqid = 0;
  bool wanted = true;  // from the beginning; false: when it is asked for
};

// Unique among the children of a connection.
std::string_view name_of(ChildKind kind);

// What traffic of one side a CHILD_SA is for.
struct Selector {
  mip6::Ipv6Prefix prefix;
  std::string protocol;  // as swanctl.conf(5) has it in brackets; empty: any
};

struct Child {
  ChildKind kind = ChildKind::kMobility;
  std::uint32_t reqid = 0;
  Selector local;
  Selector remote;
  std::chrono::seconds rekey{};
};

// As the node and as the home agent has it: the same selectors, the other way round.
Child child_at_node(ChildKind kind, const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& home_agent);
Child child_at_agent(ChildKind kind, const mip6::Ipv6Address& home_address, const mip6::Ipv6Address& home_agent);

// Its section among the connection's children.
Section describe(const Child& child, const std::vector<std::string>& esp_proposals);

// A CHILD_SA as an event or a listing tells it, if it has the reqid. Of several the one that is in use.
struct ChildSa {
  std::uint64_t id = 0;  // charon's uniqueid of it
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
  bool installed = false;  // or being rekeyed
  std::chrono::seconds age{};
  bool as_asked = false;  // mode and selectors are those of `child`: a peer without such a child narrows another's
};
// `children`: section child-sas.
std::optional<ChildSa> find_child(const Section& children, const Child& child);

}  // namespace ike
