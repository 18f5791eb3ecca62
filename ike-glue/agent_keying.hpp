// The home agent's keys: for every node a connection of its own in charon, with its own reqid, that authorises exactly
// one home address for one identity (RFC 4877; RFC 6275 section 15.3). A core without I/O.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ike-glue/children.hpp"
#include "ike-glue/keying.hpp"

namespace ike {

struct AgentKeyingNode {
  std::string name;  // [a-z0-9-]+, part of the connection's name
  mip6::Ipv6Address home_address;
  Credentials credentials;
  std::uint32_t reqid = 0;
  // The last number of its updates is on disk. If not, an update that was captured under keys from before our start
  // could be taken for a new one: such keys are dropped, and the node makes new ones.
  bool number_known = true;
  std::vector<FurtherChild> children = {};  // that it may have beside the Mobility Header's
};
struct AgentKeyingPolicy {
  mip6::Ipv6Address home_agent;
  std::vector<AgentKeyingNode> nodes;
};

// --- events beside those of keying.hpp ---
struct PeerEndpointMoved {  // the kernel was told (K agreed)
  mip6::Ipv6Address home_address;
  mip6::Ipv6Address care_of;
  bool accepted = true;
};
// K refused: drop the node's present connection when the node uses its replacement, or a minute after that is up, or
// after three minutes without. Until then its SAs carry what the node sends: its charon may hang for a while, or our
// IKE_AUTH response be lost.
struct PeerReplaceAsked {
  mip6::Ipv6Address home_address;
  // Connections that run from here already are the replacement and stay, also the present one of a node that comes
  // back; without it all present ones count as to be replaced, so then ask once per move only, not for each Binding
  // Update.
  std::optional<mip6::Ipv6Address> care_of = {};
};
// Something has come under this inbound SA of the node, and nothing under one that was told later: it has these keys.
// Once for each that it begins to use, and again after each PeerKeysUp.
struct PeerKeysUsed {
  mip6::Ipv6Address home_address;
  std::uint32_t spi_in = 0;
};
// A node is served from now on, or again, or under other credentials; none with its name or home address is there.
// Whatever charon has of it from before goes.
struct PeerServed {
  AgentKeyingNode node;
};
// It is not served any more, or about to be under other credentials: its connection and secret leave charon, its
// IKE_SAs end without waiting for an answer, and nobody gets keys by them any more. What the kernel has is the caller's
// to remove, at once; nothing more is told of its keys.
struct PeerDismissed {
  mip6::Ipv6Address home_address;
};
// Who is refused by name: it is told so where it asks for keys. Replaces the former list.
struct BannedPeer {
  std::string name;
  mip6::Ipv6Address home_address;
  std::string identity;
};
struct PeersBanned {
  std::vector<BannedPeer> banned;
};
using AgentKeyingEvent =
    std::variant<CharonConnected, CharonDisconnected, Answered, CharonEvent, PeerEndpointMoved, PeerReplaceAsked,
                 PeerKeysUsed, PeerServed, PeerDismissed, PeersBanned, StopAsked, DeadlineReached>;

// --- actions ---
struct PeerKeysUp {  // a node's SA pair is in the kernel
  mip6::Ipv6Address home_address;
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
};
// The node's IKE connection is a new one and runs from there: it is the only one, or the node has begun to use it. Not
// of what charon lists after a restart, which may be of any age.
struct PeerEstablished {
  mip6::Ipv6Address home_address;
  std::optional<mip6::Ipv6Address> from;
};
struct PeerKeysChanged {  // one of a node's SA pairs has gone, another one is up
  mip6::Ipv6Address home_address;
};
struct PeerKeysDown {
  mip6::Ipv6Address home_address;
};
struct PeerChildUp {  // one beside the Mobility Header's has an SA pair in the kernel; also after each change of it
  mip6::Ipv6Address home_address;
  ChildKind kind = ChildKind::kPayload;
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
  std::optional<mip6::Ipv6Address> remote;  // of the IKE connection: in tunnel mode the SAs' own
};
struct PeerChildDown {
  mip6::Ipv6Address home_address;
  ChildKind kind = ChildKind::kPayload;
};
struct NotePeerStates {  // remember which of the node's ESP states the kernel has now
  mip6::Ipv6Address home_address;
  std::uint32_t reqid = 0;
};
struct DeletePeerStatesExcept {
  mip6::Ipv6Address home_address;
  std::uint32_t reqid = 0;
  std::vector<std::uint32_t> spis;
  bool noted = false;  // of those only that NotePeerStates found: charon installs states before it tells of them
};
struct PeerMoveAgain {  // charon is not there, a re-key has overtaken the move: the kernel is to tell it once more
  mip6::Ipv6Address home_address;
  mip6::Ipv6Address care_of;
};
struct PeerMoveFailed {  // PeerEndpointMoved was accepted, but charon is not there: its endpoint has not moved
  mip6::Ipv6Address home_address;
};
struct PeerRefused {        // somebody asked for keys and got none; a Trouble tells who. For a counter
  std::string_view reason;  // a literal
  // Whom it claimed to be, if that is a node or a banned one. Nothing proves it.
  std::optional<mip6::Ipv6Address> claimed = {};
};
using AgentKeyingAction = std::variant<Request, PeerKeysUp, PeerEstablished, PeerKeysChanged, PeerKeysDown, PeerChildUp,
                                       PeerChildDown, NotePeerStates, DeletePeerStatesExcept, PeerMoveAgain,
                                       PeerMoveFailed, PeerRefused, Trouble, Step, Stopped>;

class AgentKeying {
 public:
  explicit AgentKeying(AgentKeyingPolicy policy);
  ~AgentKeying();

  std::vector<AgentKeyingAction> handle(const AgentKeyingEvent& event, mip6::BootTime now);
  std::optional<mip6::BootTime> next_deadline() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ike
