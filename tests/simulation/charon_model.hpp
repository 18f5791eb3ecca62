// A pretended charon: what strongSwan's daemon does with VICI commands, IKE packets and the kernel's messages, as far
// as the keying cores can see it (seen with 5.9.8 and 6.0.1). One object is one running charon: destroying it is a
// crash, after which its ESP states stay in the kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <tl/expected.hpp>

#include "ike-glue/keying.hpp"
#include "libmip6/address.hpp"
#include "libmip6/error.hpp"
#include "libmip6/time.hpp"
#include "tests/simulation/sa_database.hpp"

namespace mip6::simulation {

struct IkeMessage;  // nobody but a CharonModel looks inside: it stands for an encrypted message

struct IkePacket {
  Ipv6Address source;
  Ipv6Address destination;
  std::shared_ptr<const IkeMessage> message;
};
// "IKE_AUTH request", for a trace.
std::string_view kind_of(const IkePacket& packet);

class CharonModel {
 public:
  // What it needs. None of them may destroy the model while it runs, except `tell` and a request's answer.
  struct Surroundings {
    std::function<void(Duration, std::function<void()>)> later;  // tasks outlive the model and do nothing then
    std::function<void(const IkePacket&)> send;                  // not delivered from within
    std::function<std::uint64_t(std::uint64_t bound)> random;    // 0 to bound - 1
    std::function<bool(const Ipv6Address&)> has_address;         // the host, now
    std::function<void(ike::CharonEvent)> tell;                  // to the VICI client, never from within a call
  };
  // Empty: what the connection says that was loaded. A length of zero: never.
  struct Times {
    std::optional<Duration> child_rekey = {};
    std::optional<Duration> ike_rekey = {};
    std::optional<Duration> dpd_delay = {};
  };

  CharonModel(Surroundings surroundings, SaDatabase& kernel, Times times);
  CharonModel(Surroundings surroundings, SaDatabase& kernel);
  ~CharonModel();
  CharonModel(const CharonModel&) = delete;
  CharonModel& operator=(const CharonModel&) = delete;

  using Answer = std::function<void(tl::expected<ike::Response, Error>)>;
  // A VICI command. Fast ones are done one after the other, a slow one beside them. `answer` is called once and never
  // from within this call, unless the model is destroyed before: then it is not called at all.
  void request(const ike::Request& request, Answer answer);

  void receive(const IkePacket& packet);

  // The kernel's MIGRATE with KMADDRESS: moves every IKE_SA that has a CHILD_SA with this reqid. No packet, no event.
  void migrate(std::uint32_t reqid, const Ipv6Address& local, const Ipv6Address& remote);

  // The host has lost this address and has another one (while it has none, charon waits). 100 ms later charon closes
  // the IKE_SAs that run from it, unless the host has it again, or it is the address that their connection was loaded
  // with.
  void address_vanished(const Ipv6Address& address);

  // SIGTERM: everything is closed, the DELETEs go out, nobody waits for them. Tells no event any more.
  void terminate();

  std::size_t ike_sas() const;
  std::size_t connections() const;
  std::size_t secrets() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mip6::simulation
