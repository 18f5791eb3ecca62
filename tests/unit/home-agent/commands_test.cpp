// The control socket's commands: JSON, text, and requests that are none.
#include "examples/home-agent/commands.hpp"

#include <fstream>
#include <sstream>
#include <utility>

#include "examples/home-agent/rate_limit.hpp"
#include "mnd/linux/log.hpp"
#include "tests/catch.hpp"
#include "tests/unit/source_folder.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using nlohmann::json;
using namespace std::chrono_literals;

std::vector<BindingView> sample_bindings() {
  return {{.name = "laptop",
           .home_address = *Ipv6Address::parse("2001:db8:1::42"),
           .care_of = *Ipv6Address::parse("2001:db8:a1::7"),
           .lifetime_left = 300,
           .sequence = 41208,
           .key_mobility = true,
           .keys_up = true,
           .refused = 7},
          {.name = "phone",
           .home_address = *Ipv6Address::parse("2001:db8:1::43"),
           .care_of = std::nullopt,
           .lifetime_left = 0,
           .sequence = std::nullopt,
           .key_mobility = false,
           .keys_up = false,
           .refused = 0}};
}

Snapshot sample() {
  Snapshot snapshot;
  snapshot.address = *Ipv6Address::parse("2001:db8:1::1");
  snapshot.interface = "home";
  snapshot.charon_connected = true;
  snapshot.counters.updates = 5;
  snapshot.counters.accepted = 3;
  snapshot.counters.refused[mip6::Status::kSequenceNumberOutOfWindow] = 2;
  snapshot.counters.dropped_because["the care-of address is not unicast routable"] = 6;
  snapshot.malformed["cut short"] = 4;
  snapshot.keys_refused["authentication failed"] = 8;
  snapshot.kernel = {.xfrm = {{"XfrmInStateSeqError", 9}}, .ip = {{"Ip6InUnknownProtos", 11}}, .tunnel_dropped = 10};
  snapshot.socket_dropped = 12;
  snapshot.control_refused["the request is too long"] = 13;
  snapshot.metrics_refused["it is not HTTP"] = 14;
  snapshot.trouble = TroubleView{.what = "charon is not running", .remedy = "start it"};
  return snapshot;
}

using mnd::kernel::Asker;

// Answers by values, and writes down what it is asked to change.
struct PretendedAgent final : Steering {
  std::vector<std::string> asked;
  tl::expected<std::filesystem::path, mip6::Error> copy = std::filesystem::path{"/state/copy"};
  tl::expected<Reloaded, Mistakes> reloaded = Reloaded{};
  tl::expected<Imported, mip6::Error> imported = Imported{};

  std::vector<BindingView> listed = sample_bindings();

  Snapshot snapshot() const override { return sample(); }
  Bindings bindings() const override {
    return [left = listed]() mutable {
      std::vector<BindingView> piece;
      if (!left.empty()) piece.push_back(left.front());
      if (!left.empty()) left.erase(left.begin());
      return piece;
    };
  }
  std::optional<NodeView> node(const std::string& name) const override {
    if (name != "laptop") return std::nullopt;
    NodeView view;
    view.binding = listed.front();
    view.identity = "laptop@example.org";
    view.method = "ikev2 with a secret";
    view.reqid = 627501;
    view.keys = {{.age = 12, .spi_in = 0xc1, .spi_out = 0xc2}};
    view.accepted = 3;
    view.refused = {{"Binding Update refused: sequence number out of window", 7}};
    view.binding.ban = Ban{.since = 1'700'000'000, .why = "stolen"};
    return view;
  }
  json events() const override { return json::array({{{"time", "now"}, {"node", "laptop"}, {"what", "registered"}}}); }
  std::vector<Finding> examine() const override {
    return {{.check = "forwarding", .what = "it does not forward", .remedy = "sysctl"}};
  }
  tl::expected<std::filesystem::path, mip6::Error> make_copy() override {
    asked.emplace_back("copy");
    return copy;
  }
  std::filesystem::path backup_place() const override { return "/state/place"; }
  tl::expected<Imported, mip6::Error> take_back() override {
    asked.emplace_back("take back");
    return imported;
  }
  void reload(const std::vector<std::string>& new_keys, ReloadDone done) override {
    asked.emplace_back("reload");
    for (const auto& name : new_keys) asked.push_back("new keys of " + name);
    done(reloaded);
  }
  tl::expected<Ban, mip6::Error> ban(const std::string& name, const std::string& why) override {
    asked.push_back("ban " + name + " " + why);
    return Ban{.since = 1'700'000'000, .why = why};
  }
  tl::expected<void, mip6::Error> unban(const std::string& name) override {
    asked.push_back("unban " + name);
    return {};
  }
};

// All of the answer, as a client has it.
json whole_answer(Steering& agent, const json& request, Asker asker) {
  auto answer = answer_request(agent, request, asker);
  if (answer.later) answer.later([&](std::string line) { answer.line = std::move(line); });
  while (const auto piece = answer.rest ? answer.rest() : std::nullopt) answer.line += *piece;
  return json::parse(answer.line);
}

json ask(const json& request, Asker asker = Asker::kRoot) {
  PretendedAgent agent;
  return whole_answer(agent, request, asker);
}

TEST_CASE("status tells version, bindings, counters and trouble", "[commands]") {
  const json status = ask({{"command", "status"}});
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
  PretendedAgent agent;
  agent.listed.front().manual_keys = true;
  auto snapshot = sample();
  snapshot.charon_connected = snapshot.charon_needed = false;
  snapshot.advice.push_back({.what = "node laptop is refused: no record", .remedy = "make new keys"});
  json status = status_json(snapshot);
  CHECK(status.at("charon") == "not needed");
  CHECK(status.at("advice").at(0) == json{{"what", "node laptop is refused: no record"}, {"remedy", "make new keys"}});
  status.update(whole_answer(agent, {{"command", "list"}}, Asker::kMember));
  const auto text = status_text(status);
  CHECK(text.find("advice:  node laptop is refused: no record\nremedy:  make new keys\n") != std::string::npos);
  CHECK(text.find("manual") != std::string::npos);
}

TEST_CASE("list tells the bindings only", "[commands]") {
  const json list = ask({{"command", "list"}, {"something", "else"}});
  CHECK(list.at("bindings").size() == 2);
  CHECK_FALSE(list.contains("counters"));
}

TEST_CASE("a list of nobody is empty, and one of very many comes in pieces", "[commands]") {
  PretendedAgent agent;
  agent.listed.assign(1000, agent.listed.front());
  auto answer = answer_request(agent, {{"command", "status"}}, Asker::kMember);
  std::size_t longest = answer.line.size();
  while (const auto piece = answer.rest()) longest = std::max(longest, piece->size());
  CHECK(longest < 4096);
  CHECK(whole_answer(agent, {{"command", "status"}}, Asker::kMember).at("bindings").size() == 1000);
  agent.listed.clear();
  CHECK(whole_answer(agent, {{"command", "status"}}, Asker::kMember).at("bindings") == json::array());
  CHECK(whole_answer(agent, {{"command", "list"}}, Asker::kMember) ==
        json{{"version", 1}, {"bindings", json::array()}});
}

TEST_CASE("export tells where the copy is, or why there is none and what to do", "[commands]") {
  PretendedAgent agent;
  const auto answer = [&] { return whole_answer(agent, {{"command", "export"}}, Asker::kRoot); };
  CHECK(answer() == json{{"version", 1}, {"file", "/state/copy"}});
  agent.copy = tl::unexpected(mip6::Error{
      .tried = "export the database", .on = "/state", .reason = "disk full", .remedy = "make room", .os_error = 0});
  CHECK(answer().at("error") ==
        json{{"what", "cannot export the database on /state: disk full"}, {"remedy", "make room"}});
}

TEST_CASE("import tells where the backup is to be put, and takes only one that is there", "[commands]") {
  PretendedAgent agent;
  const auto answer = [&](const json& placed) {
    return whole_answer(agent, {{"command", "import"}, {"placed", placed}}, Asker::kRoot);
  };
  for (const auto& no : {json{}, json(false), json("true"), json(1)})
    CHECK(answer(no) == json{{"version", 1}, {"place", "/state/place"}});
  CHECK(agent.asked.empty());
  agent.imported = Imported{.renewed = {"laptop"}, .refused = {"tablet"}, .unbanned = {}, .failed = {}};
  auto done = answer(true);
  CHECK(agent.asked == std::vector<std::string>{"take back"});
  CHECK(done.at("renewed") == json{{"count", 1}, {"names", {"laptop"}}});
  const auto& command = *find_command("import");
  CHECK(command.well(done));
  done["file"] = "backup";
  CHECK(command.text(done) ==
        "backup is in place, without bindings and sequence numbers\nkeys by IKE are made anew: 1 (laptop)\n"
        "refused until their manual keys are others: 1 (tablet)\nno longer banned: 0\n");
  agent.imported->failed = {{"the kernel refuses", "more memory"}};
  CHECK_FALSE(command.well(answer(true)));
  agent.imported = tl::unexpected(mip6::Error{
      .tried = "import the backup", .on = "/state", .reason = "damaged", .remedy = "another one", .os_error = 0});
  CHECK(answer(true).at("error").at("remedy") == "another one");
}

TEST_CASE("what changes something is for root only, and is not even tried for others", "[commands]") {
  PretendedAgent agent;
  for (const char* command : {"reload", "export", "import", "ban", "unban"}) {
    INFO(command);
    const json request{{"command", command}, {"node", "laptop"}, {"placed", true}};
    CHECK(whole_answer(agent, request, Asker::kMember).at("error").at("what") == "this command is for root only");
    CHECK(agent.asked.empty());
    CHECK_FALSE(whole_answer(agent, request, Asker::kRoot).contains("error"));
    CHECK(std::exchange(agent.asked, {}).size() == 1);
  }
  for (const char* command : {"status", "list", "show", "events", "doctor"})
    CHECK_FALSE(whole_answer(agent, {{"command", command}, {"node", "laptop"}}, Asker::kMember).contains("error"));
  CHECK(agent.asked.empty());
}

TEST_CASE("a ban has a name and may have a reason", "[commands]") {
  PretendedAgent agent;
  const json request{{"command", "ban"}, {"node", "laptop"}, {"why", "lost in a train"}};
  const json answer = whole_answer(agent, request, Asker::kRoot);
  CHECK(answer.at("banned") == json{{"since", "2023-11-14T22:13:20Z"}, {"why", "lost in a train"}});
  CHECK(answer.at("node") == "laptop");
  whole_answer(agent, {{"command", "unban"}, {"node", "laptop"}}, Asker::kRoot);
  CHECK(agent.asked == std::vector<std::string>{"ban laptop lost in a train", "unban laptop"});
}

TEST_CASE("names and reasons are checked before anybody sees them, and are not repeated", "[commands]") {
  PretendedAgent agent;
  const std::string long_text(kMaxWhy + 1, 'x');
  for (const json& node : {json{}, json(5), json(""), json("Laptop"), json("../etc"), json("a\nb"),
                           json(std::string(41, 'a')), json::array({"laptop"}), json(long_text)}) {
    INFO(node.dump());
    const json answer = whole_answer(agent, {{"command", "ban"}, {"node", node}}, Asker::kRoot);
    CHECK(answer.at("error").at("what").get<std::string>().size() < 60);
  }
  CHECK(whole_answer(agent, {{"command", "ban"}}, Asker::kRoot).contains("error"));
  for (const json& why : {json(5), json(long_text), json("a\nb"), json(std::string("a\0b", 3)), json::object()}) {
    INFO(why.dump());
    const json request{{"command", "ban"}, {"node", "laptop"}, {"why", why}};
    CHECK(whole_answer(agent, request, Asker::kRoot).at("error").at("what").get<std::string>().size() < 60);
  }
  CHECK(agent.asked.empty());
}

TEST_CASE("show tells all of one node, and that a name is nobody's", "[commands]") {
  const json answer = ask({{"command", "show"}, {"node", "laptop"}});
  const json& node = answer.at("node");
  CHECK(node.at("identity") == "laptop@example.org");
  CHECK(node.at("method") == "ikev2 with a secret");
  CHECK(node.at("sequence") == 41208);
  CHECK(node.at("keys").at(0) == json{{"age", 12}, {"spi_in", "000000c1"}, {"spi_out", "000000c2"}});
  CHECK(node.at("refused_because") == json{{"Binding Update refused: sequence number out of window", 7}});
  CHECK(node.at("banned") == json{{"since", "2023-11-14T22:13:20Z"}, {"why", "stolen"}});
  const auto text = find_command("show")->text(answer);
  CHECK(text.find("banned:      since 2023-11-14T22:13:20Z: stolen\n") != std::string::npos);
  CHECK(text.find("at 2001:db8:a1::7 for 300 s, K yes\n") != std::string::npos);
  CHECK(text.find("keys:        up for 12 s, SPIs 000000c1 and 000000c2\n") != std::string::npos);
  CHECK(ask({{"command", "show"}, {"node", "sold"}}).at("error").at("what") == "no node has the name sold");
}

TEST_CASE("a banned node is known in the list", "[commands]") {
  PretendedAgent agent;
  agent.listed.back().ban = Ban{.since = 0, .why = ""};
  const json list = whole_answer(agent, {{"command", "list"}}, Asker::kMember);
  CHECK(list.at("bindings").at(1).at("banned") == json{{"since", "1970-01-01T00:00:00Z"}, {"why", ""}});
  CHECK_FALSE(list.at("bindings").at(0).contains("banned"));
  CHECK(list_text(list).find("-     -      -    banned  0\n") != std::string::npos);
}

TEST_CASE("a new configuration: what became of it, what waits for a restart, and all mistakes", "[commands]") {
  PretendedAgent agent;
  const auto answer = [&] { return whole_answer(agent, {{"command", "reload"}}, Asker::kRoot); };
  const auto& command = *find_command("reload");
  agent.reloaded = Reloaded{.added = {"phone"}, .removed = {}, .changed = {"laptop"}, .restart = {}, .failed = {}};
  CHECK(answer().at("added") == json{{"count", 1}, {"names", {"phone"}}});
  CHECK(command.well(answer()));
  CHECK(command.text(answer()) == "added 1 (phone), removed 0, changed 1 (laptop)\n");

  agent.reloaded = Reloaded{.added = std::vector<std::string>(10'000, std::string(40, 'a')),
                            .removed = {},
                            .changed = {},
                            .restart = {"lifetime"},
                            .failed = std::vector<TroubleView>(10'000, {"the kernel refuses", "more memory"})};
  CHECK(answer().at("added").at("count") == 10'000);
  CHECK(answer().dump().size() < 64 * 1024);
  CHECK_FALSE(command.well(answer()));
  CHECK(command.text(answer()).find("needs a restart: lifetime\n") != std::string::npos);

  agent.reloaded = tl::unexpected(Mistakes{{"ha.conf", 3, "lifetime: 'x' is not a lifetime", "write seconds"},
                                           {"ha.conf", 9, "no such setting", "remove it"}});
  CHECK(answer().at("mistakes").size() == 2);
  const auto what = answer().at("error").at("what").get<std::string>();
  CHECK(what.find("2 mistakes") != std::string::npos);
  CHECK(what.find("ha.conf:9: no such setting") != std::string::npos);
}

TEST_CASE("a new configuration comes with the names of nodes whose manual keys were just made", "[commands]") {
  PretendedAgent agent;
  const auto reload = [&](const json& names) {
    return whole_answer(agent, {{"command", "reload"}, {"keys_are_new", names}}, Asker::kRoot);
  };
  CHECK_FALSE(reload({"laptop", "phone"}).contains("error"));
  CHECK(agent.asked == std::vector<std::string>{"reload", "new keys of laptop", "new keys of phone"});
  agent.asked.clear();
  for (const auto& wrong : {json("laptop"), json{1}, json{"Lap top"}, json{nullptr}})
    CHECK(reload(wrong).contains("error"));
  CHECK(agent.asked.empty());
}

TEST_CASE("doctor ends with an error status where something was found", "[commands]") {
  const auto& command = *find_command("doctor");
  const json answer = ask({{"command", "doctor"}});
  CHECK_FALSE(command.well(answer));
  CHECK(command.well(json{{"findings", json::array()}}));
  CHECK(command.text(answer) == "found:   it does not forward\nremedy:  sysctl\n");
}

TEST_CASE("a request that is none gets an error, not an answer", "[commands]") {
  for (const json& request : {json::array(), json{{"command", 1}}, json{{"command", "bann"}}, json{}, json("status")}) {
    const json answer = ask(request);
    CHECK(answer.at("error").contains("remedy"));
    CHECK_FALSE(answer.contains("bindings"));
  }
}

TEST_CASE("the text of a status has each node on a line, and the trouble with its remedy", "[commands]") {
  const auto text = status_text(ask({{"command", "status"}}));
  CHECK(text.find("home agent 2001:db8:1::1 on home") == 0);
  CHECK(text.find("refused 2 (135: 2), malformed 4 (cut short: 4)") != std::string::npos);
  CHECK(
      text.find("IPv6 refused 11 (Ip6InUnknownProtos: 11), dropped at the socket 12, requests refused 13 (the request "
                "is too long: 13), for metrics 14 (it is not HTTP: 14)\n") != std::string::npos);
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
  CHECK(answer.error().remedy.find("systemctl start mip6-ha") != std::string::npos);
  CHECK(answer.error().remedy.find("journalctl -u mip6-ha") != std::string::npos);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().remedy.find("running") != std::string::npos);
  CHECK_FALSE(ask_daemon(std::string(200, 'x'), json::object()));
  const auto told = error_json(answer.error());
  CHECK(told.at("error").at("remedy") == answer.error().remedy);
}

TEST_CASE("a word that is not UTF-8 is a word like others for the client", "[commands]") {
  CHECK_FALSE(ask_daemon("/no/such/socket", {{"command", "show"}, {"node", "caf\xe9"}}));
  CHECK(line_of({{"node", "caf\xe9"}}) == "{\"node\":\"caf\uFFFD\"}");
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
