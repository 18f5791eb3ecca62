// The inside of CharonModel. Included by its sources only: charon_model.cpp (life of an IKE_SA), charon_model_vici.cpp
// (commands and events), charon_model_establish.cpp (IKE_SA_INIT, IKE_AUTH), charon_model_exchange.cpp (the rest).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ike-glue/charon.hpp"
#include "tests/simulation/charon_model.hpp"

namespace mip6::simulation {

using namespace std::chrono_literals;

enum class Exchange : std::uint8_t { kInit, kAuth, kCreateChild, kInformational };
enum class Notify : std::uint8_t { kNone, kNoProposal, kAuthenticationFailed, kTsUnacceptable, kTemporaryFailure };

struct ChildOffer {  // SA and TS payloads of one CHILD_SA
  std::uint32_t spi = 0;
  Ipv6Address initiator;  // selectors
  Ipv6Address responder;
};

struct IkeMessage {
  Exchange exchange = Exchange::kInit;
  bool response = false;
  std::uint32_t id = 0;
  std::uint64_t from = 0;  // SPI of the sender
  std::uint64_t to = 0;    // SPI of the receiver, 0: not known yet
  std::uint64_t key = 0;   // who has another cannot read it; IKE_SA_INIT: none
  Notify notify = Notify::kNone;
  std::uint64_t nonce = 0;  // and the Diffie-Hellman share
  // IKE_AUTH
  std::string identity = {};
  std::string peer_identity = {};
  std::string certificate = {};
  std::uint64_t proof = 0;
  bool initial_contact = false;
  // IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL
  std::optional<ChildOffer> child = {};
  std::uint32_t rekeyed = 0;      // SPI of the sender's old inbound state
  std::uint64_t replacement = 0;  // SPI of the sender's new IKE_SA
  bool deletes_ike = false;
  std::uint32_t deletes_child = 0;  // SPI of the sender's inbound state
};

// A number that nobody can turn back: keys from keys.
constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  auto value = a ^ (b + 0x9e3779b97f4a7c15 + (a << 6) + (a >> 2));
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}
constexpr std::uint64_t digest(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return value;
}

struct Configured {  // a connection that was loaded; IKE_SAs keep theirs when it is unloaded
  std::string name;
  std::optional<Ipv6Address> local;  // empty: any
  std::optional<Ipv6Address> remote;
  std::string local_id;
  std::string remote_id;
  std::string certificate;  // of ours; empty: a shared secret
  std::string trusted;      // the root that the peer's certificate must come from
  Ipv6Prefix local_selector;
  Ipv6Prefix remote_selector;
  std::string child;
  std::uint32_t reqid = 0;
  Duration ike_rekey{};
  Duration child_rekey{};
  Duration dpd_delay{};
};

struct ChildSa {
  enum class State : std::uint8_t { kInstalled, kRekeying, kRekeyed, kDeleted };
  std::uint64_t uniqueid = 0;
  State state = State::kInstalled;
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
  Ipv6Address local;  // selectors
  Ipv6Address remote;
};

struct Task {
  enum class Kind : std::uint8_t { kInit, kAuth, kRekeyIke, kRekeyChild, kDeleteChild, kDeleteIke, kProbe };
  Kind kind = Kind::kProbe;
  std::uint32_t child = 0;  // SPI of its inbound state
  bool operator==(const Task&) const = default;
};

struct Outstanding {  // a request without an answer yet
  Task task;
  IkePacket packet;
  std::size_t sent = 1;
};

struct Sa {  // IKE_SA
  enum class State : std::uint8_t { kConnecting, kEstablished, kRekeying, kRekeyed, kDeleting };
  std::uint64_t uniqueid = 0;
  State state = State::kConnecting;
  bool initiator = false;
  std::shared_ptr<const Configured> configured;  // the responder's comes with IKE_AUTH
  std::string claimed = {};                      // identity of the peer
  std::uint64_t own = 0;                         // SPIs
  std::uint64_t peer = 0;
  Ipv6Address local;
  Ipv6Address remote;
  std::uint64_t nonce = 0;  // ours of IKE_SA_INIT
  std::uint64_t key = 0;
  std::vector<ChildSa> children = {};
  std::deque<Task> tasks = {};
  std::optional<Outstanding> outstanding = {};
  std::uint32_t next_id = 0;   // of our requests
  std::uint32_t expected = 0;  // of the peer's
  std::shared_ptr<const IkeMessage> last_response = {};
  BootTime heard_at{};
  std::uint64_t successor = 0;                // uniqueid, after a rekey
  std::optional<BootTime> succeeded_at = {};  // if it is one
};

struct CharonModel::Impl {
  Impl(Surroundings chosen, SaDatabase& states, Times chosen_times)
      : around(std::move(chosen)), kernel(states), times(chosen_times) {}

  // charon_model.cpp
  Sa& create(bool initiator, std::shared_ptr<const Configured> configured, const Ipv6Address& local,
             const Ipv6Address& remote);
  Sa* find(std::uint64_t uniqueid);
  void destroy(Sa& sa);  // with its children; the reference is dead afterwards
  void closed(Sa& sa);   // the same, and told
  void close(Sa& sa, bool force);
  void establish(Sa& sa);
  void install(Sa& sa, std::uint32_t spi_in, std::uint32_t spi_out, const Ipv6Address& local, const Ipv6Address& remote,
               std::uint64_t seed, bool initiator);
  void drop_inbound_later(std::uint32_t spi);
  void drop(Sa& sa, std::uint32_t spi_in);
  void rekey_child_due(std::uint32_t spi);
  void rekey_ike_due(std::uint64_t uniqueid);
  void probe_due(std::uint64_t uniqueid, Duration delay);
  void roam(const Ipv6Address& address);
  std::uint32_t new_spi();
  std::uint64_t draw() { return around.random(std::uint64_t{1} << 62) + 1; }
  Duration a_bit_before(Duration time) { return time - Duration{draw_below(time / 10)}; }
  Duration::rep draw_below(Duration bound) {
    return static_cast<Duration::rep>(
        around.random(static_cast<std::uint64_t>(std::max(bound.count(), Duration::rep{1}))));
  }
  // Not done when this charon is gone by then.
  template <typename Do>
  void later(Duration wait, Do what) {
    around.later(wait, [alive = std::weak_ptr<Impl*>(self), what = std::move(what)] {
      if (auto model = alive.lock()) what(**std::exchange(model, nullptr));  // not held: it may end meanwhile
    });
  }

  // charon_model_vici.cpp
  struct Command {
    ike::Request request;
    Answer answer;
  };
  void next_command();
  ike::Response perform(const ike::Request& request);
  ike::Section load(const ike::Section& message);
  ike::Section load_secret(const ike::Section& message);
  ike::Section unload(const ike::Section& message);
  ike::Section initiate(const ike::Section& message);
  ike::Section terminate(const ike::Section& message);
  ike::Section rekey(const ike::Section& message);
  std::vector<ike::Section> list(const ike::Section& message) const;
  void post(std::function<void()> what);
  void tell(const char* name, ike::Section message);
  void tell_ike(const Sa& sa, bool up);
  void tell_child(const Sa& sa, const ChildSa& child, bool up);
  void tell_ike_rekey(const Sa& before, const Sa& after);
  void tell_child_rekey(const Sa& sa, const ChildSa& before, const ChildSa& after);
  void log(const Sa& sa, std::string line);

  // charon_model_establish.cpp
  void start(std::shared_ptr<const Configured> configured);
  void init_requested(const IkePacket& packet);
  void init_answered(Sa& sa, const IkeMessage& answer);
  void auth_requested(Sa& sa, const IkePacket& packet);
  void auth_answered(Sa& sa, const Outstanding& asked, const IkeMessage& answer);
  void forget_others(const Sa& sa);
  void refuse(Sa& sa, const IkePacket& request);
  bool has_contact(const Sa& sa) const;
  std::optional<std::uint64_t> proof(const Configured& connection, std::uint64_t key) const;
  bool proven(const Configured& connection, const IkeMessage& message) const;

  // charon_model_exchange.cpp
  void receive(const IkePacket& packet);
  void requested(Sa& sa, const IkePacket& packet);
  void answered(Sa& sa, const IkeMessage& answer);
  void ask(Sa& sa, Task task);
  void pump(Sa& sa);
  bool fill(Sa& sa, const Task& task, IkeMessage& message);
  void transmit(Sa& sa, Task task, std::shared_ptr<IkeMessage> message);
  void retransmit(std::uint64_t uniqueid, std::uint32_t id);
  void give_up(Sa& sa);
  void respond(Sa& sa, const IkePacket& request, std::shared_ptr<IkeMessage> message);
  void rekey_child_requested(Sa& sa, const IkeMessage& request, IkeMessage& response);
  void rekey_ike_requested(Sa& sa, const IkePacket& packet, std::shared_ptr<IkeMessage> response);
  void child_rekeyed(Sa& sa, const Outstanding& asked, const IkeMessage& answer);
  void ike_rekeyed(Sa& sa, const Outstanding& asked, const IkeMessage& answer);
  void succeed(Sa& sa, std::uint64_t own, std::uint64_t peer, std::uint64_t key, bool initiator);
  void child_deleted(Sa& sa, std::uint32_t spi_in);
  void informed(Sa& sa, const IkePacket& packet, std::shared_ptr<IkeMessage> response);

  Surroundings around;
  SaDatabase& kernel;
  Times times;
  std::shared_ptr<Impl*> self = std::make_shared<Impl*>(this);
  bool ending = false;

  struct Secret {
    std::string id;
    std::string data;
    std::vector<std::string> owners;
  };
  std::vector<std::shared_ptr<const Configured>> configured;  // in the order of loading
  std::vector<Secret> shared;
  std::vector<std::string> keys;  // private ones
  std::vector<std::string> authorities;
  std::vector<std::unique_ptr<Sa>> sas;  // by uniqueid
  std::uint64_t next_uniqueid = 1;
  std::uint64_t next_child = 1;

  std::deque<Command> commands;  // on the main connection; the first is being done
  std::deque<std::function<void()>> outbox;
};

}  // namespace mip6::simulation
