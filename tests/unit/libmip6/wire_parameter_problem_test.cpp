// ICMPv6 Parameter Problems: what they quote.
#include "libmip6/wire/parameter_problem.hpp"

#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using namespace mip6::test;

namespace {

// Code 1, pointer 40; quotes an update under ESP from 2001:db8:a1::7, home address 2001:db8:1::42, to 2001:db8:1::1.
const std::string kIcmp = "0401 beef 00000028";
const std::string kIp = "60000000 0058 3c 40 20010db800a100000000000000000007 20010db8000100000000000000000001";
const std::string kOptions = "3202 01020000 c910 20010db8000100000000000000000042";
const std::string kEsp = "c0000001 00000001";

}  // namespace

TEST_CASE("a Parameter Problem tells code, pointer and whose packet it quotes", "[wire]") {
  const auto problem = parse_parameter_problem(bytes(kIcmp + kIp + kOptions + kEsp));
  REQUIRE(problem);
  CHECK(*problem == ParameterProblem{.code = 1,
                                     .pointer = 40,
                                     .source = address("2001:db8:a1::7"),
                                     .destination = address("2001:db8:1::1"),
                                     .protocol = 50,
                                     .home_address = address("2001:db8:1::42")});
}

TEST_CASE("a quoted packet without Destination Options has no home address", "[wire]") {
  auto quoted = bytes(kIcmp + kIp + kEsp);
  quoted[14] = 50;
  const auto problem = parse_parameter_problem(quoted);
  REQUIRE(problem);
  CHECK(problem->protocol == 50);
  CHECK_FALSE(problem->home_address);
}

TEST_CASE("a Parameter Problem that is none, or quotes too little, is an error", "[wire]") {
  const auto whole = bytes(kIcmp + kIp + kOptions);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    CHECK_FALSE(parse_parameter_problem(std::span{whole}.first(length)));
  }
  CHECK(parse_parameter_problem(whole));
  for (const std::size_t at : {std::size_t{0}, std::size_t{8}, std::size_t{49}}) {  // type, version, Hdr Ext Len
    INFO(at);
    auto wrong = whole;
    wrong[at] = 0x7f;
    CHECK_FALSE(parse_parameter_problem(wrong));
  }
}
