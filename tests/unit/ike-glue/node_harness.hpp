// NodeKeying in a test: the harness, and the steps most tests begin with.
#pragma once

#include "ike-glue/node_keying.hpp"
#include "tests/unit/ike-glue/charon_double.hpp"

namespace ike_test {

using namespace ike;

inline const FurtherChild kPayload{ChildKind::kPayload, 21};

// The payload's SA in the IKE_SA of `ike`, as charon tells it.
inline Sa payload_of(const Sa& ike, std::string spi_in = "d0000001", std::string spi_out = "d0000002") {
  Sa sa = ike;
  sa.reqid = "21";
  sa.mode = "TUNNEL";
  sa.local_ts = {"2001:db8:1::42/128"};
  sa.remote_ts = {"::/0"};
  sa.spi_in = std::move(spi_in);
  sa.spi_out = std::move(spi_out);
  return sa;
}

struct Node : Harness<NodeKeying, NodeKeyingEvent, NodeKeyingAction> {
  explicit Node(std::vector<FurtherChild> children = {})
      : Harness(NodeKeyingPolicy{
            kHome, kAgent, {"mn@example.org", "ha@example.org", PreSharedKey{"the secret"}}, 11, std::move(children)}) {
  }

  static std::string name(int number) { return "mip6-2001-db8-1--42-" + std::to_string(number); }

  // charon is there and has nothing of ours.
  void connect(const std::vector<Sa>& sas = {}) {
    handle(CharonConnected{});
    list(sas);
    answer("get-conns", Section{}.set("conns", Section::List{}));
  }
  // Secret, connection and initiation are asked for and accepted; true if they were asked in this order.
  bool load_and_initiate() { return answer("load-shared") && answer("load-conn") && answer("initiate"); }
  void up(const Sa& sa) {
    event("ike-updown", updown(sa, true));
    event("child-updown", updown(sa, true));
  }
  void down(const Sa& sa) {
    event("ike-updown", updown(sa, false));
    event("child-updown", updown(sa, false));
  }
  // Up to an IKE_SA from `kFirst`, with nothing left to look at.
  void establish() {
    connect();
    handle(EstablishAsked{kFirst});
    load_and_initiate();
    up(first);
    forget();
  }

  // As the registration tells it, early enough for what charon logs about that.
  void lose_address() {
    handle(Settled{false});
    pass(50ms);
  }

  const Sa first{.name = name(1), .uniqueid = 1};
  const Sa second{.name = name(2), .uniqueid = 2, .local = kSecond, .spi_in = "c0000003", .spi_out = "c0000004"};
};

}  // namespace ike_test
