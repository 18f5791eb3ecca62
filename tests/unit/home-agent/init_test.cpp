// The first configuration, and what is told of the machine.
#include "examples/home-agent/init.hpp"

#include <fmt/format.h>

#include "tests/unit/home-agent/operator_harness.hpp"

namespace mip6ha {
namespace {

struct Machine {
  TemporaryFolder folder;
  MachinePaths paths{folder / "proc", folder / "loaded", folder / "modules", folder / "strongswan"};

  InitRequest request() const {
    return {.config = folder / "etc/mip6-ha.conf",
            .prefix = "2001:db8:1::/64",
            .interface = "no-such-if",
            .address = {},
            .force = false};
  }
  std::string refused(const InitRequest& asked) const {
    const auto done = init(asked, paths);
    if (done) return "not refused";
    CHECK(done.error().size() == 1);
    CHECK_FALSE(done.error().front().remedy.empty());
    CHECK_FALSE(std::filesystem::exists(folder / "etc"));
    return done.error().front().to_string();
  }
};

MachineFinding finding(const std::vector<MachineFinding>& all, std::string_view check) {
  for (const auto& one : all)
    if (one.check == check) return one;
  return {.check = "none", .good = false, .what = {}, .remedy = {}};
}

TEST_CASE("init writes a configuration that is without mistakes and serves nobody yet", "[operator]") {
  const Machine machine;
  REQUIRE(init(machine.request(), machine.paths));
  const auto path = machine.folder / "etc/mip6-ha.conf";
  const auto config = load_config(path);
  REQUIRE(config);
  CHECK(config->address == *mip6::Ipv6Address::parse("2001:db8:1::1"));
  CHECK(config->nodes.empty());
  CHECK(mode(path) == 0640);
  CHECK(mode(machine.folder / "etc") == 0750);
  CHECK(mode(machine.folder / "etc/nodes.d") == 0750);
}

TEST_CASE("init replaces a configuration only when it is told to", "[operator]") {
  const Machine machine;
  REQUIRE(init(machine.request(), machine.paths));
  auto again = machine.request();
  again.address = "2001:db8:1::2";
  const auto refused = init(again, machine.paths);
  REQUIRE_FALSE(refused);
  CHECK(has(refused.error().front().to_string(), "there already", "--force"));
  CHECK(load_config(again.config)->address == *mip6::Ipv6Address::parse("2001:db8:1::1"));
  again.force = true;
  REQUIRE(init(again, machine.paths));
  CHECK(load_config(again.config)->address == *mip6::Ipv6Address::parse("2001:db8:1::2"));
}

TEST_CASE("what is typed wrongly is told, and nothing is written", "[operator]") {
  const Machine machine;
  auto asked = machine.request();
  asked.prefix = "2001:db8:1::";
  CHECK(has(machine.refused(asked), "prefix"));
  asked = machine.request();
  asked.interface = "home\nlifetime = 4";
  CHECK(has(machine.refused(asked), "not one line"));
  asked.interface = "an-overlong-interface";
  CHECK(has(machine.refused(asked), "interface name"));
  asked = machine.request();
  asked.address = "2001:db8:2::1";
  CHECK(has(machine.refused(asked), "outside the prefix"));
  asked.address = "2001:db8:1::";
  CHECK(has(machine.refused(asked), "subnet-router"));
}

TEST_CASE("a folder that others may write to is refused", "[operator]") {
  const Machine machine;
  std::filesystem::create_directory(machine.folder / "etc");
  std::filesystem::permissions(machine.folder / "etc", std::filesystem::perms::all);
  const auto done = init(machine.request(), machine.paths);
  REQUIRE_FALSE(done);
  CHECK(has(done.error().front().to_string(), "others may write", "chmod"));
}

TEST_CASE("what the machine lacks is told with what mends it", "[operator]") {
  const Machine machine;
  const auto done = init(machine.request(), machine.paths);
  REQUIRE(done);
  for (const char* check : {"forwarding", "interface", "charon", "limits", "modules"}) {
    INFO(check);
    CHECK_FALSE(finding(done->findings, check).good);
    CHECK_FALSE(finding(done->findings, check).remedy.empty());
  }
  CHECK(has(finding(done->findings, "modules").what, "mip6, xfrm_user, esp6, ip6_tunnel"));
}

TEST_CASE("a machine that has what is needed is told so", "[operator]") {
  const Machine machine;
  machine.folder.file("proc/sys/net/ipv6/conf/all/forwarding", "1\n");
  std::filesystem::create_directories(machine.folder / "loaded/mip6");
  machine.folder.file("modules/modules.dep",
                      "kernel/net/ipv6/esp6.ko.xz: kernel/net/xfrm/xfrm_user.ko\nkernel/net/xfrm/xfrm_user.ko:\n");
  machine.folder.file("modules/modules.builtin",
                      "kernel/net/ipv6/ip6_tunnel.ko\nkernel/net/sched/sch_ingress.ko\nkernel/net/sched/cls_flower.ko\n"
                      "kernel/net/sched/cls_matchall.ko\nkernel/net/sched/act_gact.ko\n");
  machine.folder.file("strongswan/mip6-ha.conf", "charon {\n  init_limit_half_open = 1000\n}\n");
  auto config = Config{};
  config.interface = "lo";
  config.prefix = *mip6::Ipv6Prefix::parse("2001:db8:1::/64");
  config.address = *mip6::Ipv6Address::parse("2001:db8:1::1");
  const auto all = examine_machine(config, machine.paths);
  for (const char* check : {"forwarding", "interface", "limits", "modules"}) {
    INFO(check);
    CHECK(finding(all, check).good);
  }
  CHECK(has(finding(all, "address").remedy, "ip address add 2001:db8:1::1/64 dev lo"));
  // A dependency alone is no module.
  machine.folder.file("modules/modules.dep", "kernel/net/ipv6/esp6.ko: kernel/net/xfrm/xfrm_user.ko\n");
  CHECK(has(finding(examine_machine(config, machine.paths), "modules").what, "no xfrm_user"));
}

TEST_CASE("charon's limits that are commented out are none", "[operator]") {
  const Machine machine;
  machine.folder.file("strongswan/charon.conf", "charon {\n    # init_limit_half_open = 0\n}\n");
  CHECK_FALSE(finding(examine_machine({}, machine.paths), "limits").good);
}

}  // namespace
}  // namespace mip6ha
