// Rules of RFC 6275 for the mobile node that no other test would miss; CONFORMANCE.md names them.
#include "tests/unit/libmip6/registration_harness.hpp"

using namespace mip6;
using namespace mip6::node;
using namespace mip6::node::test;

TEST_CASE("of Binding Errors only that of an unknown binding of the own home address brings an update",
          "[registration][conformance]") {
  constexpr std::uint8_t kUnknownBinding = 1;
  constexpr std::uint8_t kUnrecognizedMhType = 2;
  Node node;
  node.register_at(kA1);
  CHECK(node.give(BindingErrorReceived{{kUnrecognizedMhType, kHomeAddress, {}}}).empty());
  CHECK(node.give(BindingErrorReceived{{kUnknownBinding, kA1.care_of, {}}}).empty());
  CHECK(order(node.give(BindingErrorReceived{{kUnknownBinding, kHomeAddress, {}}})) == "SendUpdate");
}

TEST_CASE("refresh advice that is longer than what is left does not put the refresh off",
          "[registration][conformance]") {
  Node node;
  node.give(KeysUsable{true, true, {}});
  node.give(Attached{kA1, false});
  const auto sent_at = node.now;
  auto acknowledgement = node.acknowledgement(Status::kAccepted, 40s);
  acknowledgement.options = {BindingRefreshAdvice{400s}};
  node.give(AcknowledgementReceived{acknowledgement});
  CHECK(node.core.next_deadline() == sent_at + 30s);
}
