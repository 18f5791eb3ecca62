// A new configuration beside the one that runs.
#include "examples/home-agent/reload.hpp"

#include "tests/catch.hpp"
#include "tests/unit/home-agent/store_harness.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using Names = std::vector<std::string>;

NodeConfig with_secret(const std::string& name, const char* home_address, const std::string& secret = "secret") {
  NodeConfig node;
  node.name = name;
  node.home_address = *Ipv6Address::parse(home_address);
  node.identity = name + "@example.org";
  node.proof = ike::PreSharedKey{secret + name};
  return node;
}

Config sample() {
  Config config;
  config.address = *Ipv6Address::parse("2001:db8:1::1");
  config.interface = "home";
  config.prefix = *mip6::Ipv6Prefix::parse("2001:db8:1::/64");
  config.identity = "ha@example.org";
  config.nodes = {with_secret("laptop", "2001:db8:1::42"), with_secret("phone", "2001:db8:1::43")};
  return config;
}

bool nothing(const Difference& d) {
  return d.removed.empty() && d.added.empty() && d.changed.empty() && d.replaced.empty() && d.restart.empty();
}

TEST_CASE("the same configuration is no difference, in whatever order its nodes stand", "[reload]") {
  auto after = sample();
  CHECK(nothing(compare(sample(), after)));
  std::swap(after.nodes[0], after.nodes[1]);
  CHECK(nothing(compare(sample(), after)));
}

TEST_CASE("nodes come and go", "[reload]") {
  auto after = sample();
  after.nodes[1] = with_secret("tablet", "2001:db8:1::44");
  const auto difference = compare(sample(), after);
  CHECK(difference.added == Names{"tablet"});
  CHECK(difference.removed == Names{"phone"});
  CHECK(difference.changed.empty());
}

TEST_CASE("with another home address, or another name, it is another node", "[reload]") {
  auto after = sample();
  SECTION("another address") {
    after.nodes[1].home_address = *Ipv6Address::parse("2001:db8:1::99");
    CHECK(compare(sample(), after).added == Names{"phone"});
  }
  SECTION("another name") {
    after.nodes[1].name = "mobile";
    CHECK(compare(sample(), after).added == Names{"mobile"});
  }
  CHECK(compare(sample(), after).removed == Names{"phone"});
  CHECK(compare(sample(), after).changed.empty());
}

TEST_CASE("other keys by IKE leave the binding, other keys by hand end it", "[reload]") {
  auto before = sample();
  auto after = sample();
  SECTION("another secret") { after.nodes[1].proof = ike::PreSharedKey{"new"}; }
  SECTION("another identity") { after.nodes[1].identity = "other@example.org"; }
  SECTION("another version of IKE") { after.nodes[1].method = ike::default_method(ike::IkeVersion::kV1); }
  SECTION("other algorithms") { after.nodes[1].method.esp_proposals = {"aes256-sha384"}; }
  SECTION("a certificate in place of a secret") { after.nodes[1].proof = ike::Certificate{}; }
  SECTION("another certificate of the node") { after.nodes[1].certificate = "new"; }
  CHECK(compare(before, after).changed == Names{"phone"});
  CHECK(compare(before, after).replaced.empty());
  after.nodes[1] = with_new_keys("phone", before.nodes[1].home_address);
  CHECK(compare(before, after).replaced == Names{"phone"});
  CHECK(compare(after, before).replaced == Names{"phone"});
  CHECK(compare(before, after).changed.empty());
  before = after;
  CHECK(nothing(compare(before, after)));
  after.nodes[1] = with_new_keys("phone", before.nodes[1].home_address);
  CHECK(compare(before, after).replaced == Names{"phone"});
}

TEST_CASE("where the payload is protected from now on, what was not is ended", "[reload]") {
  auto after = sample();
  after.nodes[0].protect_payload = true;
  CHECK(compare(sample(), after).replaced == Names{"laptop"});
  CHECK(compare(after, sample()).replaced == Names{"laptop"});
}

TEST_CASE("what is warned of is that of the new configuration", "[reload]") {
  auto before = sample();
  before.warnings = {{"ha.conf", 6, "old", "mend it"}};
  auto after = sample();
  after.warnings = {{"ha.conf", 9, "new", "mend it"}};
  const auto config = merged(before, after);
  REQUIRE(config.warnings.size() == 1);
  CHECK(config.warnings[0].what == "new");
}

TEST_CASE("what counts only after a restart is named, and does not count before", "[reload]") {
  auto after = sample();
  const auto changed = [&](const char* name) {
    const auto difference = compare(sample(), after);
    CHECK(difference.restart == Names{name});
    after.nodes.push_back(with_secret("tablet", "2001:db8:1::44"));
    const auto config = merged(sample(), after);
    CHECK(config.nodes.size() == 3);
    return nothing(compare(sample(), Config{[&] {
                             auto top = config;
                             top.nodes = sample().nodes;
                             return top;
                           }()}));
  };
  SECTION("identity") {
    after.identity = "other";
    CHECK(changed("identity"));
  }
  SECTION("key-mobility") {
    after.key_mobility = false;
    CHECK(changed("key-mobility"));
  }
  SECTION("lifetime") {
    after.lifetime = mip6::Lifetime{60};
    CHECK(changed("lifetime"));
  }
  SECTION("vici-socket") {
    after.vici_socket = "/other";
    CHECK(changed("vici-socket"));
  }
  SECTION("control-socket") {
    after.control_socket = "/other";
    CHECK(changed("control-socket"));
  }
  SECTION("state-directory") {
    after.state_directory = "/other";
    CHECK(changed("state-directory"));
  }
  SECTION("min-prefix-interval") {
    after.min_prefix_interval = mip6::Lifetime{60};
    CHECK(changed("min-prefix-interval"));
  }
  SECTION("max-prefix-interval") {
    after.max_prefix_interval = mip6::Lifetime{6000};
    CHECK(changed("max-prefix-interval"));
  }
  SECTION("discovery") {
    after.discovery = false;
    CHECK(changed("discovery"));
  }
  SECTION("preference") {
    after.preference = 10;
    CHECK(changed("preference"));
  }
  SECTION("tolerate") {
    after.behaviour.tolerance = 1;
    CHECK(changed("tolerate"));
  }
  SECTION("ban-for") {
    after.behaviour.first_ban = std::chrono::seconds{1};
    CHECK(changed("ban-for"));
  }
}

TEST_CASE("the home link's prefixes change while it runs", "[reload]") {
  auto after = sample();
  CHECK_FALSE(compare(sample(), after).prefixes);
  SECTION("one that comes next") {
    after.next_prefix = mip6::Ipv6Prefix::parse("2001:db8:9::/64");
    CHECK_FALSE(compare(sample(), after).prefix_lifetime);
  }
  SECTION("how long the present one lives") {
    after.prefix_lifetime = mip6::Lifetime{60};
    CHECK(compare(sample(), after).prefix_lifetime);
  }
  for (const auto& difference : {compare(sample(), after), compare(after, sample())}) {
    CHECK(difference.prefixes);
    CHECK(nothing(difference));
  }
  const auto config = merged(sample(), after);
  CHECK(config.next_prefix == after.next_prefix);
  CHECK(config.prefix_lifetime == after.prefix_lifetime);
  CHECK_FALSE(compare(config, after).prefixes);
}

TEST_CASE("another home link is another home agent", "[reload]") {
  auto after = sample();
  after.address = *Ipv6Address::parse("2001:db8:1::2");
  after.interface = "wan";
  after.prefix = *mip6::Ipv6Prefix::parse("2001:db8::/56");
  CHECK(compare(sample(), after).home_link == Names{"address", "interface", "prefix"});
  CHECK(compare(sample(), after).restart == Names{"address", "interface", "prefix"});
}

TEST_CASE("the first certificate counts at once, another one after a restart", "[reload]") {
  auto with = sample();
  with.certificate = ike::Certificate{.private_key = "one", .own = "one", .authorities = {}, .root = "r"};
  with.nodes.push_back(with_secret("tablet", "2001:db8:1::44"));
  with.nodes.back().proof = *with.certificate;
  CHECK(compare(sample(), with).restart.empty());
  CHECK((*merged(sample(), with).certificate)->own == "one");
  auto after = with;
  after.certificate = ike::Certificate{.private_key = "one", .own = "two", .authorities = {}, .root = "r"};
  after.nodes.back().proof = *after.certificate;
  const auto difference = compare(with, after);
  CHECK(difference.restart == Names{"certificate"});
  CHECK(difference.changed.empty());
  CHECK(ike::certificate_of(merged(with, after).nodes.back().proof)->own == "one");
  CHECK(compare(with, sample()).restart == Names{"certificate"});
}

}  // namespace
}  // namespace mip6ha
