// Performs what the two cores decide, on the kernel and on the disk, and hands back as events what came of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "examples/home-agent/kernel_port.hpp"
#include "examples/home-agent/metrics.hpp"
#include "examples/home-agent/rate_limit.hpp"
#include "examples/home-agent/snapshot.hpp"
#include "examples/home-agent/store.hpp"
#include "ike-glue/agent_keying.hpp"
#include "libmip6/agent/home_agent.hpp"
#include "libmip6/agent/prefix_advertiser.hpp"
#include "mnd/linux/log.hpp"

namespace mip6ha {

struct NodeIdentity {
  std::string name;
  std::uint32_t reqid = 0;
  std::uint32_t payload_reqid = 0;  // of its payload's SAs; 0: its payload is not protected
};
using NodeTable = std::map<mip6::Ipv6Address, NodeIdentity>;  // by home address

class Performer {
 public:
  struct Outlets {
    std::function<void(mip6::agent::Event)> to_agent;
    std::function<void(ike::AgentKeyingEvent)> to_keying;
    std::function<void(mnd::kernel::Level, const std::string& text)> log;
    std::function<void(const mip6::Error&)> failed;  // something was refused by the kernel or the disk
    std::function<void(bool stored)> disk;           // records were stored, or refused (`failed` has told why)
    // Of a node, in the words of its Report.
    std::function<void(const mip6::Ipv6Address& home_address, const std::string& what)> event;
    // Records wait: call store_waiting() when all that has arrived by now is handled. Once for each group.
    std::function<void()> records_wait;
  };

  // References stay the caller's and must outlive the performer.
  Performer(KernelPort& kernel, Store& store, NodeTable nodes, Outlets outlets);

  // A node comes, or comes back; or goes, after the actions that its ServiceEnded asked for.
  void serve(const mip6::Ipv6Address& home_address, const NodeIdentity& node);
  void dismiss(const mip6::Ipv6Address& home_address);

  void perform(const mip6::agent::Action& action);
  // Stores the records that wait, together, and tells the core of each what became of it.
  void store_waiting();
  // An update of this home address has come in, and the core is about to be told. What the node sent under keys that it
  // has left behind is taken no longer.
  void update_came(const mip6::Ipv6Address& home_address);
  bool perform(const mip6::agent::SendPrefixAdvertisement& action);  // true: it has left
  void perform(const ike::PeerKeysUp& action);
  void perform(const ike::PeerKeysChanged& action);
  void perform(const ike::PeerKeysDown& action);
  void perform(const ike::NotePeerStates& action);
  void perform(const ike::DeletePeerStatesExcept& action);
  void perform(const ike::PeerMoveAgain& action);
  void perform(const ike::PeerMoveFailed& action);
  void perform(const ike::PeerChildUp& action);

  // Takes from the kernel what a former process left beside the present bindings: care-of addresses that it was still
  // accepting packets from, and home addresses that have no binding any more.
  void forget_former_bindings();

  // Another host of the home link says that this address is its own: if it is one that we intercept, the link is told
  // otherwise (RFC 6275 section 10.3.1, "kept unique"), at most once a second for each.
  void claimed(const mip6::Ipv6Address& address, mip6::BootTime now);

  // The care-of address whose packets are tunnelled, by home address.
  const std::map<mip6::Ipv6Address, mip6::Ipv6Address>& bound() const { return bound_; }
  // Care-of addresses that tunnelled packets are taken from: after a move the former one too, until it is forgotten. A
  // node whose payload is under ESP has one, where its SAs run to.
  std::size_t tunnel_ends() const;
  // Updates of this home address that were refused or dropped: by reason, and all.
  const Counts& refused_because(const mip6::Ipv6Address& home_address) const;
  std::uint64_t refused(const mip6::Ipv6Address& home_address) const;
  std::uint64_t accepted(const mip6::Ipv6Address& home_address) const;
  std::uint64_t kernel_failures() const { return kernel_failures_; }
  // Acknowledgements sent once more since the SA of the first went: that one was dropped, or the node has both.
  std::uint64_t sent_again() const { return sent_again_; }
  // Groups of records that were stored: how long each took, and how many records they were.
  const Histogram& store_seconds() const { return store_seconds_; }
  std::uint64_t records_stored() const { return records_stored_; }
  // Takes note of something the kernel or the disk refused; true if it went well.
  bool check(const tl::expected<void, mip6::Error>& result);

 private:
  using Address = mip6::Ipv6Address;

  void on(const mip6::agent::StartDad& action);
  void on(const mip6::agent::StoreRecord& action);
  void on(const mip6::agent::InstallBinding& action);
  void on(const mip6::agent::ForgetCareOf& action);
  void on(const mip6::agent::RemoveBinding& action);
  void on(const mip6::agent::SendAcknowledgement& action);
  void on(const mip6::agent::SendBindingError& action);
  void on(const mip6::agent::MoveKeys& action);
  void on(const mip6::agent::ReplaceKeys& action);
  void on(const mip6::agent::Report& action);

  // A record whose binding is in the kernel already.
  struct Waiting {
    mip6::agent::BindingRecord record;
    bool agreed = false;             // the kernel did; it is asked nothing where no binding is stored
    bool binds = false;              // a care-of address is in the kernel, to be confirmed or taken back
    std::optional<Address> former;   // the one before
    bool former_link_local = false;  // whether the link-local address was intercepted before
  };

  bool save(const std::vector<mip6::agent::BindingRecord>& records);
  bool install(const Address& home_address, const Address& care_of, bool link_local);
  void undo_install(const Waiting& waiting);
  // Whether the node's link-local address is intercepted from now on.
  bool intercept_link_local(const Address& home_address, bool wanted);
  void unbind(const Address& home_address, bool in_flight = false);
  bool route(const Address& home_address, const std::optional<Address>& care_of);
  void choose_keys(const Address& home_address);
  bool has_lost_keys(const Address& home_address);
  std::optional<Address> bound_to(const Address& home_address) const;
  std::string name_of(const Address& home_address) const;

  KernelPort& kernel_;
  Store& store_;
  NodeTable nodes_;
  Outlets outlets_;
  std::vector<Waiting> waiting_;  // in the order of their StoreRecords
  std::map<Address, Address> bound_;
  struct Prepared {
    Address care_of;
    bool former_link_local = false;
  };
  std::map<Address, Prepared> prepared_;  // installed before the record was stored, InstallBinding not seen yet
  std::map<Address, std::optional<Address>> routed_;  // how mobility messages go; absent: not known yet
  std::map<Address, Address> link_locals_;            // that are intercepted, and whose they are
  RateLimit claims_;                                  // of addresses that we intercept
  struct Tally {
    std::uint64_t accepted = 0;
    Counts refused;  // few: the reasons are our own words
  };
  std::map<Address, Tally> tallies_;  // of nodes that are served
  static constexpr std::size_t kMaxKeyPairs = 4;
  struct Keys {
    std::vector<ike::KeyPair> pairs;   // oldest first
    std::uint32_t sent_under = 0;      // outbound SPI in the policy; 0: any
    std::uint32_t told_used = 0;       // inbound SPI of the newest that the node has used, as told (PeerKeysUsed)
    std::vector<std::uint32_t> noted;  // SPIs of both directions
  };
  std::map<Address, Keys> keys_;
  std::uint64_t kernel_failures_ = 0;
  std::uint64_t sent_again_ = 0;
  Histogram store_seconds_{kStoreSeconds};
  std::uint64_t records_stored_ = 0;
};

}  // namespace mip6ha
