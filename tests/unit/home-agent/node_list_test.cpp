// Tables of nodes: what is taken, and that each mistake is told with its line.
#include "examples/home-agent/node_list.hpp"

#include "tests/catch.hpp"

namespace mip6ha {
namespace {

TEST_CASE("a table has a node in each line, with address and method if they are written", "[node-list]") {
  const auto nodes = parse_nodes(
      "name,address,method\r\n# the family\nlaptop\r\n\nphone, "
      "2001:db8:1::43\ndesk,,manual\ntablet,2001:db8:1::44,certificate",
      "t.csv", Method::kPreSharedKey);
  REQUIRE(nodes);
  REQUIRE(nodes->size() == 4);
  CHECK((*nodes)[0].name == "laptop");
  CHECK_FALSE((*nodes)[0].address);
  CHECK((*nodes)[0].method == Method::kPreSharedKey);
  CHECK((*nodes)[0].line == 3);
  CHECK((*nodes)[1].address == mip6::Ipv6Address::parse("2001:db8:1::43"));
  CHECK((*nodes)[2].method == Method::kManual);
  CHECK_FALSE((*nodes)[2].address);
  CHECK((*nodes)[3].method == Method::kCertificate);
}

TEST_CASE("all mistakes of a table are told at once, with their lines", "[node-list]") {
  const auto nodes = parse_nodes("a,2001:db8::x\na\nb,,rot13\nc,,psk,more\n", "t.csv", Method::kPreSharedKey);
  REQUIRE_FALSE(nodes);
  REQUIRE(nodes.error().size() == 4);
  for (int line = 1; line <= 4; ++line) {
    const auto& mistake = nodes.error()[static_cast<std::size_t>(line - 1)];
    CHECK(mistake.file == "t.csv");
    CHECK(mistake.line == line);
    CHECK_FALSE(mistake.remedy.empty());
  }
  CHECK(nodes.error()[0].what.find("2001:db8::x") != std::string::npos);
  CHECK(nodes.error()[1].what.find("line 1 already") != std::string::npos);
  CHECK(nodes.error()[2].what.find("rot13") != std::string::npos);
  CHECK(nodes.error()[3].what.find("4 fields") != std::string::npos);
}

TEST_CASE("a table without nodes is a mistake", "[node-list]") {
  CHECK_FALSE(parse_nodes("", "t.csv", Method::kPreSharedKey));
  CHECK_FALSE(parse_nodes("name,address\n# nobody\n", "t.csv", Method::kPreSharedKey));
}

}  // namespace
}  // namespace mip6ha
