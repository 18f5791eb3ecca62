// The mobile node's keys: an IKE connection from the current care-of address whose CHILD_SA protects the Mobility
// Header between home address and home agent (RFC 4877), moved or re-established as the K flag says. A core without
// I/O.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ike-glue/children.hpp"
#include "ike-glue/keying.hpp"

namespace ike {

struct NodeKeyingPolicy {
  mip6::Ipv6Address home_address;
  mip6::Ipv6Address home_agent;
  Credentials credentials;
  std::uint32_t reqid = 0;
  std::vector<FurtherChild> children = {};  // beside the Mobility Header's
  // How long keys are used, at most; charon's own times are longer.
  std::chrono::seconds child_rekey{3600};
  std::chrono::seconds ike_rekey{4 * 3600};
};

// --- events beside those of keying.hpp ---
struct Attached {  // the node's address is now `local`: what is tried again is tried from there
  mip6::Ipv6Address local;
};
struct EstablishAsked {  // keys are needed; IKE from `local`
  mip6::Ipv6Address local;
};
struct EndpointMoved {  // the kernel was told (K agreed); verify that charon followed, fall back to re-establishing
  mip6::Ipv6Address local;
  bool accepted = true;  // false: the kernel refused
};
struct ReestablishAsked {  // K refused, the keys are used up, or the other end was left behind
  mip6::Ipv6Address local;
  bool previous_usable = false;  // the address of the present connection still works
  bool anew = false;             // also if the present connection runs from there already
};
struct OwnEndpointMoved {};  // answers MoveOwnEndpoint, done or not
// Whether the home agent knows where the node is, and no update waits for its acknowledgement. Only then re-keys are
// asked for: they may swallow what the other end sends meanwhile.
struct Settled {
  bool settled = true;
};
struct ChildAsked {  // one that was not wanted from the beginning
  ChildKind kind = ChildKind::kPrefixes;
};
// By these from now on; keys that there are are replaced by new ones, make before break. The version of IKE stays.
struct CredentialsChanged {
  Credentials credentials;
  std::chrono::seconds child_rekey{};
  std::chrono::seconds ike_rekey{};
};
using NodeKeyingEvent = std::variant<CharonConnected, CharonDisconnected, Answered, CharonEvent, Attached,
                                     EstablishAsked, EndpointMoved, ReestablishAsked, OwnEndpointMoved, Settled,
                                     ChildAsked, CredentialsChanged, StopAsked, DeadlineReached>;

// --- actions ---
struct KeysUp {  // an SA pair is in the kernel; also after each change of it
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
  bool fresh = false;  // never used before
};
struct KeysDown {};
// KMADDRESS on our side alone: so that the old connection can be closed from `local`, or where charon did not follow.
struct MoveOwnEndpoint {
  mip6::Ipv6Address local;
};
struct DeleteStatesExcept {         // ESP states with our reqid that a dead charon left behind
  std::vector<std::uint32_t> spis;  // those to keep
};
struct ChildUp {  // one beside the Mobility Header's has an SA pair in the kernel; also after each change of it
  ChildKind kind = ChildKind::kPayload;
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
  mip6::Ipv6Address local;  // address of the IKE connection: in tunnel mode the SAs' own
};
struct ChildDown {
  ChildKind kind = ChildKind::kPayload;
};
struct DeleteChildStatesExcept {  // ESP states with its reqid that are no longer charon's
  ChildKind kind = ChildKind::kPayload;
  std::vector<std::uint32_t> spis;  // those to keep
};
// Whether charon's event `log` is wanted: what it logs wakes us. In order with the requests that are not slow.
struct FollowLog {
  bool follow = false;
};
using NodeKeyingAction = std::variant<Request, KeysUp, KeysDown, MoveOwnEndpoint, DeleteStatesExcept, ChildUp,
                                      ChildDown, DeleteChildStatesExcept, FollowLog, Trouble, Step, Stopped>;

class NodeKeying {
 public:
  explicit NodeKeying(NodeKeyingPolicy policy);
  ~NodeKeying();

  std::vector<NodeKeyingAction> handle(const NodeKeyingEvent& event, mip6::BootTime now);
  std::optional<mip6::BootTime> next_deadline() const;

  bool usable() const;  // an SA pair exists; stays so while charon is away, since the kernel keeps the SAs
  // Local IKE address, as charon says or was told; empty without an IKE_SA and while charon is away. K is set all the
  // same while it is away or hangs: a charon that hangs is told of the move by the kernel when it goes on; with one
  // that is gone nothing is left to move, and K clear could make the home agent drop the SAs, which still work.
  std::optional<mip6::Ipv6Address> endpoint() const;
  std::string_view state() const;  // for status: "established", "connecting", "charon not reachable"
  bool migration_failed() const;   // charon did not follow once: do not set K

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ike
