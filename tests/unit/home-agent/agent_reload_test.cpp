// A new configuration comes into force while everybody is served, and something else happens meanwhile.
#include <filesystem>

#include "tests/unit/home-agent/agent_harness.hpp"
#include "tests/unit/printed.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using mip6::Status;
using Names = std::vector<std::string>;

std::string reason(const tl::expected<Imported, mip6::Error>& taken) {
  return taken ? "not refused" : taken.error().reason;
}

TEST_CASE("how many nodes are served is told in words", "[agent]") {
  CHECK(has(printed([] { const RunningAgent one{{"laptop"}}; }, STDERR_FILENO), "serves 1 node on "));
  CHECK(has(printed([] { const RunningAgent two{{"laptop", "tablet"}}; }, STDERR_FILENO), "serves 2 nodes on "));
}

TEST_CASE("a short secret is a finding, from the reload on that brings it", "[agent]") {
  RunningAgent here{{"laptop"}};
  const auto found = [&] {
    Names all;
    for (const auto& one : here.agent->examine())
      if (one.check == "nodes") all.push_back(one.what);
    return all;
  };
  CHECK(found().empty());
  const auto secret = here.admin.folder.file("desk.secret", "fifteen letters\n");
  std::ofstream{here.admin.nodes / "desk.conf"}
      << "[node desk]\nhome-address = 2001:db8:1::77\nsecret-file = " << secret.string() << '\n';
  CHECK(here.reload().added == Names{"desk"});
  REQUIRE(found().size() == 1);
  CHECK(found()[0].starts_with("node desk: the secret has fewer than 16 characters"));
}

TEST_CASE("a backup is not taken back while a new configuration comes into force", "[agent]") {
  RunningAgent here{{"laptop", "tablet"}};
  const auto tablet = here.home("tablet");
  const auto copy = here.agent->make_copy();
  REQUIRE(copy);
  std::filesystem::rename(*copy, here.agent->backup_place());

  std::string in_the_middle;
  here.kernel.releasing = [&](const Ipv6Address& home_address) {
    CHECK(home_address == tablet);
    here.between_turns([&] { in_the_middle = reason(here.agent->take_back()); });
  };
  REQUIRE(here.admin.remove("tablet"));
  const auto told = here.begin_reload();
  const char* refusal = "a new configuration is coming into force";
  CHECK(reason(here.agent->take_back()) == refusal);  // it is being read
  here.until([&] { return told->has_value(); });
  CHECK(in_the_middle == refusal);
  REQUIRE(**told);
  CHECK((**told)->removed == Names{"tablet"});
  CHECK_FALSE(here.refused("laptop"));

  here.kernel.releasing = nullptr;
  const auto taken = here.agent->take_back();
  REQUIRE(taken);
  CHECK(taken->refused == Names{"laptop"});
  CHECK(here.refused("laptop"));
}

TEST_CASE("a ban that is lifted between the end of a service and the new configuration serves nobody by the former one",
          "[agent]") {
  RunningAgent here{{"laptop", "phone", "tablet"}};
  const auto phone = here.home("phone");
  const auto tablet = here.home("tablet");
  const auto former_spi = here.spi("phone");
  REQUIRE(here.agent->ban("phone", "lost"));
  CHECK_FALSE(here.kernel.required.contains(phone));

  bool served_by_the_former = false;
  here.kernel.releasing = [&](const Ipv6Address& home_address) {
    if (home_address != tablet) return;
    here.between_turns([&] {
      CHECK(here.agent->unban("phone"));
      served_by_the_former = here.kernel.manual[phone] == former_spi;
    });
  };
  SECTION("it is not configured any more") {
    REQUIRE(here.admin.remove("phone"));
    REQUIRE(here.admin.remove("tablet"));
    CHECK(here.reload().removed == Names{"phone", "tablet"});
    CHECK_FALSE(here.kernel.required.contains(phone));
    CHECK_FALSE(here.kernel.manual.contains(phone));
    CHECK_FALSE(here.agent->node("phone"));
  }
  SECTION("it has other keys") {
    REQUIRE(here.admin.rotate("phone"));
    REQUIRE(here.admin.rotate("tablet"));
    CHECK(here.reload({"phone", "tablet"}).changed == Names{"phone", "tablet"});
    CHECK(here.kernel.required.contains(phone));
    CHECK(here.kernel.manual[phone] == here.spi("phone"));
    CHECK(here.kernel.manual[phone] != former_spi);
    CHECK_FALSE(here.refused("phone"));
    CHECK(here.update(phone, 1).status == Status::kAccepted);
  }
  CHECK(served_by_the_former);
  CHECK(here.kernel.required.contains(here.home("laptop")));
}

TEST_CASE("who stops the home agent in the middle of a reload ends both, and nobody else is served", "[agent]") {
  RunningAgent here{{"laptop", "tablet"}};
  const auto tablet = here.home("tablet");
  here.kernel.releasing = [&](const Ipv6Address& home_address) {
    if (home_address == tablet) here.between_turns([&] { here.agent->stop(); });
  };
  REQUIRE(here.admin.remove("tablet"));
  here.add("phone");
  const auto told = here.begin_reload({"phone"});
  const auto next = here.begin_reload();
  here.until([&] { return told->has_value() && next->has_value(); });
  REQUIRE(**told);
  REQUIRE((**told)->failed.size() == 1);
  CHECK((**told)->failed.front().what == "mip6-ha is stopping");
  REQUIRE_FALSE(**next);
  CHECK((**next).error().front().what == "mip6-ha is stopping");
  CHECK_FALSE(here.agent->node("phone"));
  CHECK(here.kernel.all_removed);
  CHECK(here.kernel.required.empty());
  CHECK(here.kernel.manual.empty());
}

TEST_CASE("who stops the home agent while a configuration is read has it refused", "[agent]") {
  RunningAgent here{{"laptop"}};
  here.add("phone");
  const auto told = here.begin_reload({"phone"});
  const auto next = here.begin_reload();
  here.agent->stop();
  const auto late = here.begin_reload();
  CHECK(late->has_value());
  here.until([&] { return told->has_value() && next->has_value(); });
  for (const auto& one : {told, next, late}) {
    REQUIRE_FALSE(**one);
    CHECK((**one).error().front().what == "mip6-ha is stopping");
    CHECK_FALSE((**one).error().front().remedy.empty());
  }
  CHECK(here.kernel.required.empty());
}

TEST_CASE("of two reloads with new manual keys each has its own served, though the first one has read both",
          "[agent]") {
  RunningAgent here{{"laptop"}};
  here.add("phone");
  here.add("tablet");
  bool refused_after_the_first = false;
  here.agent->reload({"phone"}, [&](const auto& done) {
    REQUIRE(done);
    CHECK(done->added == Names{"phone", "tablet"});
    CHECK_FALSE(here.refused("phone"));
    refused_after_the_first = here.refused("tablet");
  });
  const auto second = here.reload({"tablet"});
  CHECK(refused_after_the_first);
  CHECK(second.added.empty());
  CHECK(second.changed == Names{"tablet"});
  for (const char* name : {"phone", "tablet"}) {
    CHECK_FALSE(here.refused(name));
    CHECK(here.kernel.manual[here.home(name)] == here.spi(name));
    CHECK(here.update(here.home(name), 1).status == Status::kAccepted);
  }
}

TEST_CASE("new manual keys one after another count from their beginning, each time", "[agent]") {
  RunningAgent here{{"laptop", "phone"}};
  const auto laptop = here.home("laptop");
  CHECK(here.update(here.home("phone"), 7).status == Status::kAccepted);
  for (int times = 0; times < 2; ++times) {
    CHECK(here.update(laptop, 1000).status == Status::kAccepted);
    CHECK(here.kernel.tunnels.contains(laptop));
    REQUIRE(here.admin.rotate("laptop"));
    CHECK(here.reload({"laptop"}).changed == Names{"laptop"});
    CHECK_FALSE(here.kernel.tunnels.contains(laptop));
    CHECK(here.kernel.manual[laptop] == here.spi("laptop"));
    CHECK(here.update(laptop, 1).status == Status::kAccepted);
  }
  CHECK(here.kernel.tunnels.contains(here.home("phone")));
}

TEST_CASE("while the home link is renumbered one node after the other moves to the next prefix", "[agent]") {
  RunningAgent here{{"laptop", "phone"}};
  const auto laptop = here.home("laptop");
  const auto former = here.home("phone");
  const auto next = *Ipv6Address::parse("2001:db8:2::43");
  CHECK(here.update(laptop, 1).status == Status::kAccepted);
  CHECK(here.update(former, 1).status == Status::kAccepted);

  here.set("next-prefix = 2001:db8:2::/64\n");
  REQUIRE(here.admin.remove("phone"));
  here.add("phone", next);
  const auto told = here.reload({"phone"});
  CHECK(told.restart.empty());
  CHECK(told.removed == Names{"phone"});
  CHECK(told.added == Names{"phone"});
  CHECK_FALSE(here.kernel.tunnels.contains(former));
  CHECK_FALSE(here.kernel.required.contains(former));
  CHECK(here.kernel.required.contains(next));
  CHECK(here.update(next, 1).status == Status::kAccepted);
  CHECK(here.kernel.tunnels.contains(next));
  CHECK(here.update(laptop, 2).status == Status::kAccepted);

  // Without it nobody may be left there, and nothing has changed.
  here.set("");
  const auto refused = here.begin_reload();
  here.until([&] { return refused->has_value(); });
  REQUIRE_FALSE(**refused);
  CHECK(here.kernel.tunnels.contains(next));
  // Who is not there any more takes his binding with him.
  REQUIRE(std::filesystem::remove(here.admin.nodes / "phone.conf"));
  CHECK(here.reload().removed == Names{"phone"});
  CHECK_FALSE(here.kernel.tunnels.contains(next));
  CHECK(here.kernel.tunnels.contains(laptop));
}

TEST_CASE("with another home address a node is refused under the manual keys that it had, until it has others",
          "[agent]") {
  RunningAgent here{{"laptop", "phone"}};
  here.set("next-prefix = 2001:db8:2::/64\n");
  const auto file = here.admin.nodes / "phone.conf";
  auto text = content(file);
  const auto address = here.home("phone").to_string();
  REQUIRE(text.find(address) != std::string::npos);
  text.replace(text.find(address), address.size(), "2001:db8:2::43");
  std::ofstream{file} << text;
  CHECK(here.reload().added == Names{"phone"});
  // Under the same keys updates of the former home address could be sent once more.
  CHECK(here.refused("phone"));
  CHECK(here.update(here.home("phone"), 1).status == Status::kAdministrativelyProhibited);
  REQUIRE(here.admin.rotate("phone"));
  here.reload({"phone"});
  CHECK(here.update(here.home("phone"), 1).status == Status::kAccepted);
}

TEST_CASE("the lifetime of the home prefix is set, kept and taken back by reload", "[agent]") {
  RunningAgent here{{"laptop"}};
  const auto laptop = here.home("laptop");
  CHECK(here.update(laptop, 1).status == Status::kAccepted);
  const auto left = [&] { return here.agent->node("laptop")->binding.lifetime_left; };
  CHECK(left() > 500);

  here.set("prefix-lifetime = 500\nnext-prefix = 2001:db8:2::/64\n");
  CHECK(here.reload().restart.empty());
  CHECK(left() <= 500);  // at once, though it was granted more
  CHECK(here.kernel.tunnels.contains(laptop));
  const auto cut = here.update(laptop, 2);
  CHECK(cut.status == Status::kAcceptedPrefixDiscoveryNecessary);
  CHECK(cut.lifetime <= mip6::Lifetime{500});

  here.set("next-prefix = 2001:db8:3::/64\nprefix-lifetime = 500\n");  // the same: it goes on
  here.reload();
  CHECK(here.update(laptop, 3).status == Status::kAcceptedPrefixDiscoveryNecessary);

  here.set("");
  here.reload();
  const auto whole = here.update(laptop, 4);
  CHECK(whole.status == Status::kAccepted);
  CHECK(whole.lifetime == mip6::Lifetime{600});
}

}  // namespace
}  // namespace mip6ha
