// The first configuration, and what is told of the machine.
#include "examples/home-agent/init.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "tests/unit/home-agent/operator_harness.hpp"

namespace mip6ha {
namespace {

struct Machine {
  TemporaryFolder folder;
  MachinePaths paths{folder / "proc", folder / "loaded", folder / "modules", folder / "strongswan.conf",
                     folder / "sysctl.d/60-mip6-ha.conf"};

  InitRequest request() const {
    return {.config = folder / "etc/mip6-ha.conf",
            .prefix = "2001:db8:1::/64",
            .interface = "no-such-if",
            .address = {},
            .force = false,
            .mend = false};
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

TEST_CASE("of the prefix init writes what counts, and tells if hosts cannot autoconfigure there", "[operator]") {
  const Machine machine;
  auto asked = machine.request();
  asked.prefix = "2001:db8:1::1/64";
  const auto done = init(asked, machine.paths);
  REQUIRE(done);
  CHECK(has(content(asked.config), "\nprefix = 2001:db8:1::/64\n"));
  CHECK(finding(done->findings, "prefix").check == "none");
  asked.force = true;
  for (const std::string length : {"56", "72"}) {
    asked.prefix = "2001:db8:1:0:1::1/" + length;
    const auto other = init(asked, machine.paths);
    REQUIRE(other);
    CHECK_FALSE(finding(other->findings, "prefix").good);
    CHECK(has(finding(other->findings, "prefix").what, "/" + length, "autoconfigure"));
    CHECK_FALSE(finding(other->findings, "prefix").remedy.empty());
  }
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

TEST_CASE("a configuration that is there with the same content is no mistake", "[operator]") {
  const Machine machine;
  REQUIRE(init(machine.request(), machine.paths));
  REQUIRE(init(machine.request(), machine.paths));
  machine.folder.file("etc/mip6-ha.conf", "# by hand\n" + content(machine.folder / "etc/mip6-ha.conf"));
  CHECK_FALSE(init(machine.request(), machine.paths));
}

TEST_CASE("what the machine lacks is told with what mends it", "[operator]") {
  const Machine machine;
  machine.folder.file("modules/modules.builtin", "");
  const auto done = init(machine.request(), machine.paths);
  REQUIRE(done);
  CHECK(done->mended.empty());
  for (const char* check : {"forwarding", "home-link", "address", "ipsec", "modules", "charon", "charon-limits"}) {
    INFO(check);
    CHECK_FALSE(finding(done->findings, check).good);
    CHECK_FALSE(finding(done->findings, check).remedy.empty());
  }
  CHECK(has(finding(done->findings, "modules").what, "mip6, xfrm_user, esp6, ip6_tunnel"));
}

TEST_CASE("a machine that has what is needed is told so", "[operator]") {
  const Machine machine;
  machine.folder.file("proc/sys/net/ipv6/conf/all/forwarding", "1\n");
  machine.folder.file("proc/net/xfrm_stat", "XfrmInError 0\n");
  std::filesystem::create_directories(machine.folder / "loaded/mip6");
  machine.folder.file("modules/modules.dep",
                      "kernel/net/ipv6/esp6.ko.xz: kernel/net/xfrm/xfrm_user.ko\nkernel/net/xfrm/xfrm_user.ko:\n");
  machine.folder.file("modules/modules.builtin",
                      "kernel/net/ipv6/ip6_tunnel.ko\nkernel/net/sched/sch_ingress.ko\nkernel/net/sched/cls_flower.ko\n"
                      "kernel/net/sched/cls_matchall.ko\nkernel/net/sched/act_gact.ko\n");
  machine.folder.file("strongswan.d/mip6-ha.conf", "charon {\n  init_limit_half_open = 1000\n}\n");
  auto config = Config{};
  config.interface = "lo";
  config.prefix = *mip6::Ipv6Prefix::parse("2001:db8:1::/64");
  config.address = *mip6::Ipv6Address::parse("2001:db8:1::1");
  const auto look = [&] { return examine_machine(read_health_before_start(config, machine.paths)); };
  const auto all = look();
  for (const char* check : {"forwarding", "home-link", "ipsec", "modules", "charon-limits", "clock"}) {
    INFO(check);
    CHECK(finding(all, check).good);
    CHECK_FALSE(finding(all, check).what.empty());
    CHECK(finding(all, check).remedy.empty());
  }
  CHECK(has(finding(all, "address").remedy, "ip address add 2001:db8:1::1/64 dev lo"));
  // What only a running home agent can fail is not judged.
  CHECK(finding(all, "tunnel").check == "none");
  CHECK(finding(all, "database").check == "none");
  // A dependency alone is no module.
  machine.folder.file("modules/modules.dep", "kernel/net/ipv6/esp6.ko: kernel/net/xfrm/xfrm_user.ko\n");
  CHECK(has(finding(look(), "modules").what, "no xfrm_user"));
}

TEST_CASE("charon's limits are what its configuration says last", "[operator]") {
  const Machine machine;
  const auto limits = [&] { return *read_health({}, machine.paths).charon_limits; };
  CHECK_FALSE(limits().half_open);
  CHECK(limits().cookies);
  machine.folder.file("strongswan.d/charon.conf", "charon {\n    # init_limit_half_open = 5\n}\n");
  CHECK_FALSE(limits().half_open);
  machine.folder.file("strongswan.d/mip6-ha.conf.dpkg-old", "charon { init_limit_half_open = 5 }\n");
  CHECK_FALSE(limits().half_open);
  machine.folder.file("strongswan.conf", "charon.init_limit_half_open = 5\n");
  CHECK(limits().half_open);
  machine.folder.file("strongswan.d/mine.conf", "charon { init_limit_half_open=0 }\n");
  CHECK_FALSE(limits().half_open);
  machine.folder.file("strongswan.d/z.conf", "charon { init_limit_half_open = \"5\" }\n");
  CHECK(limits().half_open);
  machine.folder.file("strongswan.d/mine.conf", "charon {\n\tcookie_threshold_ip = 0\n}\n");
  CHECK(limits().cookies);
  machine.folder.file("strongswan.d/mine.conf", "charon {\n\tcookie_threshold = 0 # none\n}\n");
  CHECK_FALSE(limits().cookies);
}

TEST_CASE("charon's configuration is looked for where charon looks for it", "[operator]") {
  const Machine machine;
  ::setenv("STRONGSWAN_CONF", machine.folder.file("elsewhere.conf", "charon.cookie_threshold = 0\n").c_str(), 1);
  const auto limits = *read_health({}).charon_limits;
  ::unsetenv("STRONGSWAN_CONF");
  CHECK_FALSE(limits.cookies);
}

// A machine on which forwarding is off, and whose default route at `uplink` comes from router advertisements.
struct Router : Machine {
  std::filesystem::path limits = folder / "strongswan.d/mip6-ha.conf";

  Router() {
    folder.file("proc/sys/net/ipv6/conf/all/forwarding", "0\n");
    folder.file("proc/sys/net/ipv6/conf/uplink/accept_ra", "1\n");
    folder.file("proc/sys/net/ipv6/conf/other/accept_ra", "1\n");
    const std::string nobody(32, '0');
    folder.file("proc/net/ipv6_route",
                nobody + " 00 " + nobody +
                    " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003 uplink\n" + nobody +
                    " 00 " + nobody + " 00 " + nobody + " ffffffff 00000001 00000000 00200200 other\n");
    std::filesystem::create_directories(folder / "strongswan.d");
    std::filesystem::create_directories(paths.sysctl.parent_path());
  }
  std::string setting(const std::string& name) const { return content(folder / "proc/sys/net/ipv6/conf" / name); }
  tl::expected<InitReport, Mistakes> mended() const {
    auto asked = request();
    asked.mend = true;
    return init(asked, paths);
  }
};

TEST_CASE("without --mend the machine stays as it is", "[operator]") {
  const Router router;
  const auto done = init(router.request(), router.paths);
  REQUIRE(done);
  CHECK(done->mended.empty());
  CHECK(has(finding(done->findings, "forwarding").remedy, "accept_ra=2\\nnet.ipv6.conf.all.forwarding=1\\n"));
  CHECK(router.setting("all/forwarding") == "0\n");
  CHECK_FALSE(std::filesystem::exists(router.paths.sysctl));
  CHECK_FALSE(std::filesystem::exists(router.limits));
}

TEST_CASE("init --mend switches forwarding on and bounds charon, each also for later starts", "[operator]") {
  const Router router;
  const auto done = router.mended();
  REQUIRE(done);
  CHECK(done->mended.size() == 3);
  CHECK(finding(done->findings, "forwarding").good);
  CHECK(finding(done->findings, "charon-limits").good);
  CHECK(router.setting("all/forwarding") == "1");
  CHECK(router.setting("uplink/accept_ra") == "2");
  CHECK(router.setting("other/accept_ra") == "1\n");
  CHECK(has(content(router.paths.sysctl), "\nnet/ipv6/conf/uplink/accept_ra=2\nnet.ipv6.conf.all.forwarding=1\n"));
  CHECK(mode(router.paths.sysctl) == 0644);
  CHECK(content(router.limits) == kCharonLimits);
  CHECK(has(content(router.limits), "init_limit_half_open = ", "cookie_threshold = "));
  const auto again = router.mended();
  REQUIRE(again);
  CHECK(again->mended.empty());
}

TEST_CASE("init --mend leaves files of others alone, and works where charon is not there", "[operator]") {
  const Router router;
  router.folder.file("sysctl.d/60-mip6-ha.conf", "# mine\n");
  router.folder.file("strongswan.d/mip6-ha.conf", "# mine\n");
  const auto done = router.mended();
  REQUIRE(done);
  CHECK(router.setting("all/forwarding") == "1");
  REQUIRE(done->mended.size() == 2);
  CHECK(has(done->mended.back(), "there already"));
  CHECK(content(router.paths.sysctl) == "# mine\n");
  CHECK(content(router.limits) == "# mine\n");
  CHECK_FALSE(finding(done->findings, "charon-limits").good);
  const Router without;
  std::filesystem::remove_all(without.folder / "strongswan.d");
  REQUIRE(without.mended());
  CHECK_FALSE(std::filesystem::exists(without.folder / "strongswan.d"));
}

TEST_CASE("a setting that the kernel does not take is told, and the same command goes on later", "[operator]") {
  const Router router;
  const auto forwarding = router.folder / "proc/sys/net/ipv6/conf/all/forwarding";
  std::filesystem::remove(forwarding);
  std::filesystem::create_directory(forwarding);
  const auto refused = router.mended();
  REQUIRE_FALSE(refused);
  CHECK(has(refused.error().front().to_string(), "all/forwarding", "as root"));
  std::filesystem::remove(forwarding);
  router.folder.file("proc/sys/net/ipv6/conf/all/forwarding", "0\n");
  const auto done = router.mended();
  REQUIRE(done);
  CHECK(finding(done->findings, "forwarding").good);
}

}  // namespace
}  // namespace mip6ha
