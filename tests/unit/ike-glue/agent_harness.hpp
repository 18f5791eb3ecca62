// AgentKeying in a test: the harness, and the steps most tests begin with.
#pragma once

#include "ike-glue/agent_keying.hpp"
#include "tests/unit/ike-glue/charon_double.hpp"

namespace ike_test {

using namespace ike;

inline const auto kOtherHome = address("2001:db8:1::43");

struct Agent : Harness<AgentKeying, AgentKeyingEvent, AgentKeyingAction> {
  explicit Agent(AgentKeyingPolicy policy) : Harness(std::move(policy)) {}
  explicit Agent(std::vector<FurtherChild> of_laptop = {})
      : Harness(AgentKeyingPolicy{
            kAgent,
            {{"laptop",
              kHome,
              {"ha@example.org", "mn@example.org", PreSharedKey{"the secret"}},
              11,
              true,
              std::move(of_laptop)},
             {"phone", kOtherHome, {"ha@example.org", "2001:db8:1::43", PreSharedKey{"another"}}, 12}}}) {}

  void connect(const std::vector<Sa>& sas = {}) {
    handle(CharonConnected{});
    load();
    list(sas);
    answer("get-conns", Section{}.set("conns", Section::List{}));
  }
  void load() {
    while (answer("load-shared") && answer("load-conn")) {
    }
  }
  void up(const Sa& sa) {
    event("ike-updown", updown(sa, true));
    event("child-updown", updown(sa, true));
  }
  void down(const Sa& sa) {
    event("ike-updown", updown(sa, false));
    event("child-updown", updown(sa, false));
  }

  const Sa first{
      .name = "mip6ha-laptop", .uniqueid = 1, .local = kAgent, .remote = kFirst, .remote_id = "mn@example.org"};
  const Sa second{.name = "mip6ha-laptop",
                  .uniqueid = 2,
                  .local = kAgent,
                  .spi_in = "c0000003",
                  .spi_out = "c0000004",
                  .remote = kSecond,
                  .remote_id = "mn@example.org"};
  const Sa third{.name = "mip6ha-laptop",
                 .uniqueid = 3,
                 .local = kAgent,
                 .spi_in = "c0000005",
                 .spi_out = "c0000006",
                 .remote = kThird,
                 .remote_id = "mn@example.org"};
};

}  // namespace ike_test
