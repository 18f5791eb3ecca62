// Return routability, Home Agent Switch, Binding Revocation and Heartbeat: bytes as their RFCs draw them.
#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using mip6::test::address;
using mip6::test::bytes;
using mip6::test::failure_of;

namespace {

const InitCookie kCookie{1, 2, 3, 4, 5, 6, 7, 8};
const KeygenToken kToken{0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8};

// These bytes mean this message, and this message becomes these bytes.
void check_both_ways(std::string_view hex, const Message& message) {
  const auto wire = bytes(hex);
  const auto parsed = parse_message(wire);
  REQUIRE(parsed);
  CHECK((*parsed == message));
  CHECK(write_message(message) == wire);
  CHECK(mh_type(message) == wire[2]);
}

}  // namespace

TEST_CASE("the inits of return routability have a reserved field and a cookie", "[wire]") {
  check_both_ways("3b 01 01 00 0000 0000 0102030405060708", HomeTestInit{.cookie = kCookie});
  check_both_ways("3b 01 02 00 0000 0000 0102030405060708", CareOfTestInit{.cookie = kCookie});
}

TEST_CASE("the tests of return routability have a nonce index, a cookie and a token", "[wire]") {
  check_both_ways("3b 02 03 00 0000 1234 0102030405060708 a1a2a3a4a5a6a7a8",
                  HomeTest{.nonce_index = 0x1234, .cookie = kCookie, .token = kToken});
  check_both_ways("3b 02 04 00 0000 fffe 0102030405060708 a1a2a3a4a5a6a7a8",
                  CareOfTest{.nonce_index = 0xfffe, .cookie = kCookie, .token = kToken});
}

TEST_CASE("a Home Agent Switch without address or option is 8 octets", "[wire]") {
  check_both_ways("3b 00 0c 00 0000 00 00", HomeAgentSwitch{});
}

TEST_CASE("a Home Agent Switch names other home agents, and options follow them", "[wire]") {
  check_both_ways(
      "3b 05 0c 00 0000 02 00 20010db8000000000000000000000001 20010db8000000000000000000000002"
      "0202 0005 0102 0000",
      HomeAgentSwitch{.home_agents = {address("2001:db8::1"), address("2001:db8::2")},
                      .options = {BindingRefreshAdvice{Lifetime{20}}}});
}

TEST_CASE("a Home Agent Switch with more addresses than there is room for is refused at their number", "[wire]") {
  CHECK(failure_of("3b 02 0c 00 0000 02 00 20010db8000000000000000000000001") ==
        ParseError{6, "more home agent addresses are announced than there is room for"});
}

TEST_CASE("the longest Home Agent Switch has 127 addresses", "[wire]") {
  HomeAgentSwitch message;
  message.home_agents.assign(127, address("2001:db8::1"));
  const auto parsed = parse_message(write_message(message));
  REQUIRE(parsed);
  CHECK((*parsed == Message{message}));
}

TEST_CASE("a Binding Revocation Indication has a trigger, a number and three flags", "[wire]") {
  check_both_ways("3b 01 10 00 0000 01 81 1234 2000 0102 0000",
                  BindingRevocationIndication{.trigger = 129, .sequence = 0x1234, .scope = {.global = true}});
  check_both_ways(
      "3b 01 10 00 0000 01 00 0001 c000 0102 0000",
      BindingRevocationIndication{.sequence = 1, .scope = {.proxy_binding = true, .ipv4_binding_only = true}});
}

TEST_CASE("a Binding Revocation Acknowledgement has a status, a number and three flags", "[wire]") {
  check_both_ways(
      "3b 01 10 00 0000 02 80 1234 8000 0102 0000",
      BindingRevocationAcknowledgement{.status = 128, .sequence = 0x1234, .scope = {.proxy_binding = true}});
}

TEST_CASE("a Binding Revocation of another type is kept as bytes", "[wire]") {
  check_both_ways("3b 01 10 00 0000 03 81 1234 2000 0102 0000", UnknownMessage{16, bytes("03 81 1234 2000 0102 0000")});
}

TEST_CASE("a Heartbeat request is a number, a response has its flags at the end of the reserved field", "[wire]") {
  check_both_ways("3b 01 0d 00 0000 0000 01020304 0102 0000", Heartbeat{.sequence = 0x01020304});
  check_both_ways("3b 01 0d 00 0000 0001 00000001 0102 0000", Heartbeat{.response = true, .sequence = 1});
  check_both_ways("3b 01 0d 00 0000 0003 00000000 0102 0000", Heartbeat{.unsolicited = true, .response = true});
}

TEST_CASE("the restart counter of a Heartbeat response begins at 4n+2", "[wire]") {
  check_both_ways("3b 02 0d 00 0000 0001 00000001 0100 1c04 deadbeef 0102 0000",
                  Heartbeat{.response = true, .sequence = 1, .options = {RestartCounter{0xdeadbeef}}});
}

TEST_CASE("flags that later RFCs define are ignored in a Binding Update and its acknowledgement", "[wire]") {
  const auto update = parse_message(bytes("3b 01 05 00 0000 0001 0fff 0000 0102 0000"));
  REQUIRE(update);
  CHECK((*update == Message{BindingUpdate{.sequence = SequenceNumber{1}}}));
  const auto acknowledgement = parse_message(bytes("3b 01 06 00 0000 00 7f 0001 0000 0102 0000"));
  REQUIRE(acknowledgement);
  CHECK((*acknowledgement == Message{BindingAcknowledgement{.sequence = SequenceNumber{1}}}));
}

TEST_CASE("the status codes of mobile routers have their names", "[wire]") {
  CHECK(name_of(static_cast<Status>(140)) == "Mobile Router operation not permitted");
  CHECK(name_of(static_cast<Status>(141)) == "invalid prefix");
  CHECK(name_of(static_cast<Status>(142)) == "not authorized for prefix");
  CHECK(name_of(static_cast<Status>(143)) == "forwarding setup failed");
}
