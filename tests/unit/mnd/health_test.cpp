// What the doctor reads of a machine, and where the daemon does not run.
#include "mnd/health.hpp"

#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mnd;

namespace {

namespace fs = std::filesystem;

// A machine in a folder: nothing is wrong with its kernel.
struct Machine {
  TemporaryFolder folder;
  kernel::KernelPaths paths{folder / "proc", folder / "loaded", folder / "modules", folder / "config"};
  Machine() {
    folder.file("proc/net/if_inet6", "");
    folder.file("proc/sys/net/ipv6/conf/all/disable_ipv6", "0\n");
    folder.file("config",
                "CONFIG_XFRM_SUB_POLICY=y\nCONFIG_XFRM_MIGRATE=y\nCONFIG_IPV6_MULTIPLE_TABLES=y\n"
                "CONFIG_IPV6_SUBTREES=y\n");
    folder.file("proc/sys/net/ipv6/conf/w1/mtu", "1500\n");
    for (const char* module : {"mip6", "xfrm_user", "esp6"}) fs::create_directories(folder / "loaded" / module);
    folder.file("modules/modules.dep",
                "kernel/net/ipv6/ip6_tunnel.ko.xz: x.ko\nkernel/sch_ingress.ko:\nkernel/cls_flower.ko.zst:\n");
    folder.file("modules/modules.builtin", "kernel/net/sched/cls_matchall.ko\nkernel/net/sched/act_gact.ko\n");
    fs::create_directories(folder / "state");
    const auto secret = folder.file("secret", "a secret of some length\n");
    folder.file("mnd.conf",
                "home-address = 2001:db8:1::42\nhome-agent = 2001:db8:1::1\nidentity = laptop@example.org\n"
                "secret-file = " +
                    secret.string() + "\nstate-directory = " + (folder / "state").string() +
                    "\nvici-socket = " + (folder / "vici").string() + "\n");
  }
};

std::vector<std::string> checks(const Machine& machine) {
  std::vector<std::string> names;
  for (const auto& finding : examine_stopped(machine.folder / "mnd.conf", machine.paths))
    names.push_back(finding.check);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("modules are loaded, built in or there to be loaded, or they are missing by name", "[health]") {
  const Machine machine;
  CHECK(kernel::missing_modules(machine.paths).empty());
  fs::remove(machine.folder / "loaded/mip6");
  machine.folder.file("modules/modules.builtin", "kernel/net/sched/cls_matchall.ko\n");
  CHECK(kernel::missing_modules(machine.paths) == Names{"mip6", "act_gact"});
  fs::remove(machine.folder / "modules/modules.builtin");
  CHECK(kernel::missing_modules(machine.paths).empty());  // nothing is known
}

TEST_CASE("options of the kernel are missing by name, where it tells them at all", "[health]") {
  const Machine machine;
  CHECK(kernel::missing_options(machine.paths).empty());
  machine.folder.file("config",
                      "CONFIG_XFRM_SUB_POLICY=y\n# CONFIG_XFRM_MIGRATE is not set\nCONFIG_IPV6_MULTIPLE_TABLES=y\n");
  CHECK(kernel::missing_options(machine.paths) == Names{"CONFIG_XFRM_MIGRATE", "CONFIG_IPV6_SUBTREES"});
  fs::remove(machine.folder / "config");
  CHECK(kernel::missing_options(machine.paths).empty());
}

TEST_CASE("what mip6ctl has missed is taken over once, and nothing else from it", "[health]") {
  Health health;
  health.missing_modules = {"esp6"};
  add_missing(health, {"mip6", "esp6", "mip6", "nonsense; rm", "", 6, "CONFIG_XFRM_MIGRATE", "CONFIG_NONSENSE"});
  CHECK(health.missing_modules == Names{"esp6", "mip6"});
  CHECK(health.missing_options == Names{"CONFIG_XFRM_MIGRATE"});
  for (const auto& nonsense : {nlohmann::json("mip6"), nlohmann::json(nullptr), nlohmann::json{{"a", "mip6"}}}) {
    Health none;
    add_missing(none, nonsense);
    CHECK(none.missing_modules.empty());
  }
}

TEST_CASE("IPv6 can be switched off in two ways; an interface has an MTU", "[health]") {
  const Machine machine;
  CHECK_FALSE(kernel::ipv6_switched_off(machine.paths));
  machine.folder.file("proc/sys/net/ipv6/conf/all/disable_ipv6", "1\n");
  CHECK(kernel::ipv6_switched_off(machine.paths));
  machine.folder.file("proc/sys/net/ipv6/conf/all/disable_ipv6", "0\n");
  fs::remove(machine.folder / "proc/net/if_inet6");
  CHECK(kernel::ipv6_switched_off(machine.paths));
  CHECK(kernel::mtu_of("w1", machine.paths) == 1500);
  CHECK_FALSE(kernel::mtu_of("w2", machine.paths));
  CHECK_FALSE(kernel::mtu_of("", machine.paths));
}

TEST_CASE("where the daemon does not run, what can be known is found all the same", "[health]") {
  const Machine machine;
  CHECK(checks(machine) == Names{"running", "charon"});
  fs::remove(machine.folder / "loaded/esp6");
  CHECK(checks(machine) == Names{"running", "modules", "charon"});
  fs::create_directories(machine.folder / "loaded/esp6");
  fs::remove(machine.folder / "state");
  CHECK(checks(machine) == Names{"running", "state-directory", "charon"});
}

TEST_CASE("where the configuration has mistakes, charon is not judged", "[health]") {
  const Machine machine;
  fs::permissions(machine.folder / "secret", fs::perms::others_read, fs::perm_options::add);
  const auto findings = examine_stopped(machine.folder / "mnd.conf", machine.paths);
  REQUIRE(findings.size() == 2);
  CHECK(findings.back().check == "configuration");
  CHECK(findings.back().what.find("lets others at it") != std::string::npos);
  CHECK(findings.back().remedy.find("chmod 0640") != std::string::npos);
}
