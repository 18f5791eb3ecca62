// The control socket's commands: JSON, text, and requests that are none.
#include "examples/home-agent/commands.hpp"

#include <fstream>
#include <sstream>

#include "examples/home-agent/rate_limit.hpp"
#include "mnd/linux/log.hpp"
#include "tests/catch.hpp"
#include "tests/unit/source_folder.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using nlohmann::json;
using namespace std::chrono_literals;

Snapshot sample() {
  Snapshot snapshot;
  snapshot.address = *Ipv6Address::parse("2001:db8:1::1");
  snapshot.interface = "home";
  snapshot.charon_connected = true;
  snapshot.bindings.push_back({.name = "laptop",
                               .home_address = *Ipv6Address::parse("2001:db8:1::42"),
                               .care_of = *Ipv6Address::parse("2001:db8:a1::7"),
                               .lifetime_left = 300,
                               .sequence = 41208,
                               .key_mobility = true,
                               .keys_up = true,
                               .refused = 7});
  snapshot.bindings.push_back({.name = "phone",
                               .home_address = *Ipv6Address::parse("2001:db8:1::43"),
                               .care_of = std::nullopt,
                               .lifetime_left = 0,
                               .sequence = std::nullopt,
                               .key_mobility = false,
                               .keys_up = false,
                               .refused = 0});
  snapshot.counters.updates = 5;
  snapshot.counters.accepted = 3;
  snapshot.counters.refused[mip6::Status::kSequenceNumberOutOfWindow] = 2;
  snapshot.counters.dropped_because["the care-of address is not unicast routable"] = 6;
  snapshot.malformed["cut short"] = 4;
  snapshot.keys_refused["authentication failed"] = 8;
  snapshot.kernel = {.xfrm = {{"XfrmInStateSeqError", 9}}, .tunnel_dropped = 10};
  snapshot.trouble = TroubleView{.what = "charon is not running", .remedy = "start it"};
  return snapshot;
}

const MakeCopy kNoCopy = [] { return std::filesystem::path{}; };

TEST_CASE("status tells version, bindings, counters and trouble", "[commands]") {
  const json status = answer_request(sample(), {{"command", "status"}}, kNoCopy);
  CHECK(status.at("version") == 1);
  CHECK(status.at("release") == MND_VERSION);
  CHECK(status.at("charon") == "connected");
  CHECK(status.at("bindings").at(0) == json{{"name", "laptop"},
                                            {"home_address", "2001:db8:1::42"},
                                            {"care_of", "2001:db8:a1::7"},
                                            {"lifetime_left", 300},
                                            {"sequence", 41208},
                                            {"k", true},
                                            {"keys_up", true},
                                            {"manual_keys", false},
                                            {"refused", 7}});
  CHECK(status.at("bindings").at(1).at("care_of").is_null());
  CHECK(status.at("bindings").at(1).at("sequence").is_null());
  CHECK(status.at("counters").at("refused") == json{{"135", 2}});
  CHECK(status.at("counters").at("refused_as") == json{{"sequence number out of window", 2}});
  CHECK(status.at("counters").at("dropped_because") == json{{"the care-of address is not unicast routable", 6}});
  CHECK(status.at("counters").at("malformed") == json{{"cut short", 4}});
  CHECK(status.at("counters").at("keys_refused") == json{{"authentication failed", 8}});
  CHECK(status.at("counters").at("kernel") == json{{"XfrmInStateSeqError", 9}});
  CHECK(status.at("counters").at("tunnel_dropped") == 10);
  CHECK(status.at("trouble").at("remedy") == "start it");
}

TEST_CASE("status tells of manual keys and advice, and asks for no charon that nobody needs", "[commands]") {
  auto snapshot = sample();
  snapshot.charon_connected = snapshot.charon_needed = false;
  snapshot.bindings.front().manual_keys = true;
  snapshot.advice.push_back({.what = "node laptop is refused: no record", .remedy = "make new keys"});
  const json status = status_json(snapshot);
  CHECK(status.at("charon") == "not needed");
  CHECK(status.at("advice").at(0) == json{{"what", "node laptop is refused: no record"}, {"remedy", "make new keys"}});
  const auto text = status_text(status);
  CHECK(text.find("advice:  node laptop is refused: no record\nremedy:  make new keys\n") != std::string::npos);
  CHECK(text.find("manual") != std::string::npos);
}

TEST_CASE("list tells the bindings only", "[commands]") {
  const json list = answer_request(sample(), {{"command", "list"}, {"something", "else"}}, kNoCopy);
  CHECK(list.at("bindings").size() == 2);
  CHECK_FALSE(list.contains("counters"));
}

TEST_CASE("export tells where the copy is, or why there is none and what to do", "[commands]") {
  const json asked{{"command", "export"}};
  CHECK(answer_request(sample(), asked, [] { return std::filesystem::path{"/state/copy"}; }) ==
        json{{"version", 1}, {"file", "/state/copy"}});
  const json refused = answer_request(sample(), asked, []() -> tl::expected<std::filesystem::path, mip6::Error> {
    return tl::unexpected(mip6::Error{
        .tried = "export the database", .on = "/state", .reason = "disk full", .remedy = "make room", .os_error = 0});
  });
  CHECK(refused.at("error") ==
        json{{"what", "cannot export the database on /state: disk full"}, {"remedy", "make room"}});
}

TEST_CASE("a request that is none gets an error, not an answer", "[commands]") {
  for (const json& request : {json::array(), json{{"command", 1}}, json{{"command", "ban"}}, json{}, json("status")}) {
    const json answer = answer_request(sample(), request, kNoCopy);
    CHECK(answer.at("error").contains("remedy"));
    CHECK_FALSE(answer.contains("bindings"));
  }
}

TEST_CASE("the text of a status has each node on a line, and the trouble with its remedy", "[commands]") {
  const auto text = status_text(status_json(sample()));
  CHECK(text.find("home agent 2001:db8:1::1 on home") == 0);
  CHECK(text.find("refused 2 (135: 2), malformed 4 (cut short: 4)") != std::string::npos);
  CHECK(text.find("trouble: charon is not running\nremedy:  start it\n") != std::string::npos);
  CHECK(text.find("laptop  2001:db8:1::42  2001:db8:a1::7  300   41208  yes  yes   7\n") != std::string::npos);
  CHECK(text.find("phone   2001:db8:1::43  -               -     -      -    no    0\n") != std::string::npos);
}

TEST_CASE("text can be made of any JSON that a daemon may send", "[commands]") {
  for (const json& answer : {json::object(), json::array(), json{{"bindings", 3}}, json{{"bindings", {1, "x", {}}}},
                             json{{"counters", 3}, {"trouble", {{"what", 1}}}}}) {
    for (const auto& command : commands()) CHECK_FALSE(command.text(answer).empty());
  }
}

TEST_CASE("every command stands in the man page", "[commands]") {
  std::ifstream stream{source_folder() / "packaging/man/mip6-ha.8"};
  std::ostringstream page;
  page << stream.rdbuf();
  for (const auto& command : commands()) {
    INFO(command.name);
    CHECK(page.str().find(".It Cm " + std::string{command.name}) != std::string::npos);
  }
}

TEST_CASE("a daemon that is not there is an error with a remedy", "[commands]") {
  const auto answer = ask_daemon("/no/such/socket", {{"command", "status"}});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().remedy.find("running") != std::string::npos);
  CHECK_FALSE(ask_daemon(std::string(200, 'x'), json::object()));
}

TEST_CASE("one reason is told once a second, with what was left out", "[rate-limit]") {
  RateLimit limit;
  const mip6::BootTime start{};
  CHECK(limit.count("a", start) == 1);
  CHECK_FALSE(limit.count("a", start + 1ms));
  CHECK_FALSE(limit.count("a", start + 999ms));
  CHECK(limit.count("b", start + 999ms) == 1);
  CHECK(limit.count("a", start + 1s) == 3);
  CHECK(limit.count("a", start + 2s) == 1);
  CHECK(limit.totals().at("a") == 5);
}

TEST_CASE("a log line cannot be broken or forged by what it quotes", "[log]") {
  using mnd::kernel::Level;
  CHECK(mnd::kernel::log_line(Level::kInfo, "identity=a\nerror: b\x1b[2J\x7f", false) == "identity=a?error: b?[2J?\n");
  CHECK(mnd::kernel::log_line(Level::kError, "x", false) == "error: x\n");
  CHECK(mnd::kernel::log_line(Level::kWarning, "x", true) == "<4>x\n");
}

}  // namespace
}  // namespace mip6ha
