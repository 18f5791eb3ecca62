#include "mnd/ctl/render.hpp"

#include <algorithm>

#include <sstream>

#include "tests/catch.hpp"

using namespace mip6ctl;

namespace {

json registered() {
  return json::parse(R"({"version":1,"state":"registered","home_address":"2001:db8:1::42","home_agent":"2001:db8:1::1",
    "attachment":{"interface":"w1","care_of":"2001:db8:a1::7","at_home":false,"reason":"preferred interface w1"},
    "registered_at":"2001:db8:a1::7","lifetime_s":420,"expires_in_s":398.2,"sequence":41208,"key_mobility":true,
    "keying":{"method":"ikev2","state":"established","endpoint":"2001:db8:a1::7","migration_failed":false},
    "counters":{"updates_sent":13,"acknowledged":12,"retransmissions":1,"refused":0,"malformed":0},
    "last_error":null})");
}

json troubled(bool current) {
  auto status = registered();
  status["last_error"] = {{"what", "the home agent does not answer"},
                          {"remedy", "check that mip6-ha runs"},
                          {"ago_s", 63.0},
                          {"current", current}};
  return status;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// As it is before it is wrapped.
std::string in_one_line(const std::string& text) {
  std::istringstream words{text};
  std::string result;
  for (std::string word; words >> word;) result += word + " ";
  return result;
}

}  // namespace

TEST_CASE("a status fits one screen and says where the node is registered and for how long") {
  const auto text = render_status(registered(), Colours::kOff);
  CHECK(std::count(text.begin(), text.end(), '\n') <= 23);
  CHECK(has(text, "state         registered, for another 6 min 38 s of 7 min\n"));
  CHECK(has(text, "attached      w1 (preferred interface w1)\ncare-of       2001:db8:a1::7\n"));
  CHECK(has(text, "sequence      41208\n"));
  CHECK(has(text, "keys          ikev2, established from 2001:db8:a1::7\n"));
  CHECK(has(text, "key mobility  agreed"));
  CHECK(has(text, "updates       13 sent, 12 acknowledged, 1 repeated, 0 refused\n"));
  CHECK(has(text, "last error    none\n"));
}

TEST_CASE("errors that anybody can forge are counted by name, once there were any") {
  auto status = registered();
  status["counters"]["rate_limited"] = 7;
  CHECK(has(in_one_line(render_status(status, Colours::kOff)), "0 refused; 7 held back by the limit of 3 a second "));
  status["counters"]["rate_limited"] = 0;
  status["counters"]["binding_errors"] = 0;
  status["counters"]["parameter_problems"] = 0;
  CHECK(has(render_status(status, Colours::kOff), "1 repeated, 0 refused\n"));
  status["counters"]["binding_errors"] = 200;
  status["counters"]["parameter_problems"] = 9;
  CHECK(has(in_one_line(render_status(status, Colours::kOff)), "0 refused; 200 Binding Errors; 9 Parameter Problems "));
}

TEST_CASE("trouble comes with what to do, as current only while it holds") {
  const auto now = render_status(troubled(true), Colours::kOff);
  CHECK(has(now, "trouble       the home agent does not answer (1 min 3 s ago)\n  what to do  check that mip6-ha"));
  CHECK(in_trouble(troubled(true)));
  const auto over = render_status(troubled(false), Colours::kOff);
  CHECK(has(over, "last error    1 min 3 s ago: the home agent does not answer (over)\n"));
  CHECK_FALSE(has(over, "what to do"));
  CHECK_FALSE(in_trouble(troubled(false)));
}

TEST_CASE("each warning is told with what to do") {
  auto status = registered();
  status["warnings"] = {{{"what", "a secret is at risk"}, {"remedy", "use certificates"}}, {{"what", "another"}}, 5};
  const auto text = render_status(status, Colours::kOff);
  CHECK(has(text, "warning       a secret is at risk\n  what to do  use certificates\nwarning       another\n"));
  CHECK_FALSE(has(render_status(registered(), Colours::kOff), "warning"));
}

TEST_CASE("what is null or missing is told in plain words") {
  auto status = registered();
  for (const char* name : {"attachment", "registered_at", "expires_in_s", "sequence", "key_mobility"})
    status[name] = nullptr;
  status["state"] = "detached";
  const auto text = render_status(status, Colours::kOff);
  CHECK(has(text, "state         detached\n"));
  CHECK(has(text, "attached      nowhere: no interface has a usable address\n"));
  CHECK(has(text, "sequence      none used yet\n"));
  CHECK(has(text, "key mobility  not agreed yet\n"));
  CHECK(has(render_status(json::object(), Colours::kOff), "state         unknown\n"));
}

TEST_CASE("members of another type than expected are as good as missing") {
  auto status = registered();
  for (auto& member : status) member = 5;
  CHECK(has(render_status(status, Colours::kOff), "state         unknown, for another 5 s of 5 s\n"));
  for (auto& member : status) member = "x";
  CHECK(has(render_status(status, Colours::kOff), "state         x\n"));
  CHECK_FALSE(render_change(json::array(), Colours::kOff).empty());
  CHECK_FALSE(render_event(json{}, Colours::kOff).empty());
}

TEST_CASE("at home the link is named instead of a care-of address") {
  auto status = registered();
  status["attachment"]["at_home"] = true;
  CHECK(has(render_status(status, Colours::kOff), "attached      home link on w1 (preferred interface w1)\n"));
}

TEST_CASE("nothing that the daemon sends can steer the terminal") {
  auto status = troubled(true);
  status["last_error"]["what"] =
      "a\x1b[2Jb\r\nc\td\x7f"
      "e\xc2\x9b"
      "f\xe2\x80\xae"
      "g\u00e9";
  const auto text = render_status(status, Colours::kOff);
  CHECK(has(text, "a[2Jb c defg\u00e9 ("));
  CHECK(std::none_of(text.begin(), text.end(),
                     [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f; }));
  const auto line = one_line(status);
  CHECK(std::all_of(line.begin(), line.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
  CHECK(json::parse(line) == status);
}

TEST_CASE("colours come only when asked for") {
  CHECK_FALSE(has(render_status(troubled(true), Colours::kOff), "\x1b"));
  CHECK(has(render_status(troubled(true), Colours::kOn), "\x1b[32mregistered"));
  CHECK(has(render_status(troubled(true), Colours::kOn), "\x1b[31mthe home agent does not answer"));
}

TEST_CASE("a change is one line without what changes by itself") {
  auto later = registered();
  later["expires_in_s"] = 5.0;
  later["counters"]["malformed"] = 7;
  CHECK(render_change(registered(), Colours::kOff) == render_change(later, Colours::kOff));
  CHECK(render_change(registered(), Colours::kOff) ==
        "registered: w1, care-of address 2001:db8:a1::7 (preferred interface w1), sequence 41208, keys established");
}

TEST_CASE("an event is one line with time, kind and text") {
  const json event{{"time", "2026-11-23T18:00:00.123Z"}, {"kind", "registered"}, {"text", "w1\nin 38 ms"}};
  CHECK(render_event(event, Colours::kOff) == "2026-11-23T18:00:00.123Z  registered    w1 in 38 ms");
}

TEST_CASE("an event of something that can be mended ends with how") {
  const json event{
      {"time", "T"}, {"kind", "trouble"}, {"text", "the certificate has expired"}, {"remedy", "renew\nit"}};
  CHECK(render_event(event, Colours::kOff) == "T  trouble       the certificate has expired; renew it");
}

TEST_CASE("durations are told in the two units that matter") {
  CHECK(duration_text(0) == "0 s");
  CHECK(duration_text(59.9) == "59 s");
  CHECK(duration_text(60) == "1 min");
  CHECK(duration_text(398.2) == "6 min 38 s");
  CHECK(duration_text(3600) == "1 h");
  CHECK(duration_text(262140) == "72 h 49 min");
  CHECK(duration_text(-5) == "0 s");
  CHECK_FALSE(duration_text(1e300).empty());
}

TEST_CASE("the use of sequence numbers is a table with a row for each rate") {
  const auto text = render_sequence(json::parse(R"({"method": "manual", "last": 41208, "used": 16384, "limit": 32768,
      "reserved_until": 41216, "forecast": [
        {"rate": "present", "per_ten_minutes": 2, "until_half_s": 4915200, "until_whole_s": 14745600},
        {"rate": "highest", "per_ten_minutes": 0, "until_half_s": null, "until_whole_s": null}]})"));
  CHECK(text.find("last number   41208\n") != std::string::npos);
  CHECK(text.find("16384 of 32768 (50 %)") != std::string::npos);
  CHECK(text.find("reserved up to 41216") != std::string::npos);
  CHECK(text.find("in 56 days") != std::string::npos);
  CHECK(text.find("in 170 days") != std::string::npos);
  CHECK(text.find("not in sight") != std::string::npos);
  CHECK(render_sequence(json::object()).find("not known") != std::string::npos);
}

TEST_CASE("findings come with what to do, and none are said to be none") {
  const auto text = render_findings(
      json::parse(R"({"findings": [{"check": "charon", "what": "it is gone", "remedy": "start it"}]})"));
  CHECK(text == "charon: it is gone\n  what to do: start it\n");
  CHECK(render_findings(json::parse(R"({"findings": []})")) == "nothing found\n");
  CHECK(render_findings(json::parse(R"({"findings": [1, null]})")) == "nothing found\n");
}

TEST_CASE("home says whether anything was registered") {
  const auto home = [](const char* answer) { return render_home(json::parse(answer)); };
  CHECK(home(R"({"result":"ok"})") == "de-registered; to register again: mip6ctl resume\n");
  CHECK(home(R"({"result":"ok","was_registered":true})") == home(R"({"result":"ok"})"));
  CHECK(home(R"({"result":"ok","was_registered":false})") ==
        "nothing was registered; to register again: mip6ctl resume\n");
}

TEST_CASE("status shows advice beside the trouble") {
  const auto text =
      render_status(json::parse(R"({"advice": [{"what": "use IKE", "remedy": "keying = ikev2"}]})"), Colours::kOff);
  CHECK(text.find("advice        use IKE\n  what to do  keying = ikev2\n") != std::string::npos);
  CHECK(render_status(json::object(), Colours::kOff).find("advice") == std::string::npos);
}

TEST_CASE("a move is a timeline as wide as its last step") {
  const auto answer = json::parse(R"({"moves":[{"time":"2026-11-23T08:01:02.345Z","from":null,
    "to":{"interface":"w2","address":"2001:db8:a2::7"},"result":"registered","registered_us":4000,
    "steps":[{"step":"notification read","us":0},{"step":"update sent","us":2000},
             {"step":"keys moved","us":4000}]}]})");
  CHECK(render_trace(answer) ==
        "2026-11-23T08:01:02.345Z  registered after 4.000 ms\n"
        "  from nowhere\n"
        "  to   w2 2001:db8:a2::7\n"
        "       0.000 ms  |*                               |  notification read\n"
        "       2.000 ms  |               *                |  update sent\n"
        "       4.000 ms  |                               *|  keys moved\n");
  CHECK(render_trace(json::parse(R"({"moves":[]})")) == "the node has not moved yet\n");
  CHECK(render_trace(json::parse(R"({"moves":[5,{"steps":7},{"steps":[{"us":-1},{"us":"x"},3]}]})")).size() > 0);
}

TEST_CASE("links are told with their use, the reason below") {
  const auto text = render_links(json::parse(R"({"paused_on":null,"links":[
    {"interface":"w1","address":"2001:db8:a1::7","gateway":"fe80::1","metric":1024,"use":"chosen","why":"preferred interface w1"},
    {"interface":"lo","address":null,"gateway":null,"metric":null,"use":"unusable","why":"the loopback"},5]})"));
  CHECK(text ==
        "chosen    w1              2001:db8:a1::7\n"
        "          preferred interface w1; router fe80::1\n"
        "unusable  lo              -\n"
        "          the loopback\n");
  CHECK(has(render_links(json::parse(R"({"paused_on":"w1","links":[]})")), "stays on w1"));
  CHECK(render_links(json::object()) == "no links are known yet\n");
}

TEST_CASE("mistakes of a configuration are told each with its line and remedy") {
  CHECK(render_mistakes(json::parse(R"({"mistakes":[{"file":"a","line":3,"what":"b","remedy":"c"},
    {"file":"a","line":0,"what":"d","remedy":""},7]})")) == "a:3: b\n  what to do: c\na: d\n");
  CHECK(render_mistakes(json::object()).empty());
}

TEST_CASE("a configuration is shown in its own form") {
  CHECK(render_config(json::parse(R"({"file":"/etc/mnd/mnd.conf","settings":[{"key":"lifetime","value":"420"}],
    "interfaces":[{"pattern":"wl*","preference":-3,"exclude":false,"optimistic_dad":true}]})")) ==
        "# in effect, by /etc/mnd/mnd.conf, with defaults; secrets stay in their files\n"
        "lifetime = 420\n\n[interface \"wl*\"]\npreference = -3\noptimistic-dad = yes\n");
}

TEST_CASE("a node that was asked to stay out, or on a link, is told how to go on") {
  CHECK(has(render_status({{"state", "de-registered"}}, Colours::kOff),
            "state         de-registered, until: mip6ctl resume\n"));
  CHECK(has(render_status({{"state", "registered"}, {"paused_on", "w1"}}, Colours::kOff),
            "paused        stays on w1, until: mip6ctl resume\n"));
  CHECK_FALSE(has(render_status(registered(), Colours::kOff), "paused"));
}

namespace {

void fits(const std::string& text, std::size_t rows = 1000) {
  std::size_t count = 0;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line); ++count) {
    INFO(line);
    CHECK(line.size() <= 80);
  }
  CHECK(count <= rows);
}

}  // namespace

TEST_CASE("a status of the longest addresses and with trouble fits 80 columns and 24 rows") {
  const std::string longest = "2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa";
  auto status = troubled(true);
  for (const char* name : {"home_address", "home_agent", "registered_at"}) status[name] = longest;
  status["attachment"] = {{"interface", "enx00e04c680001"},
                          {"care_of", longest},
                          {"at_home", false},
                          {"reason", "wlp0s20f3u1u2u3 does not lead to the home agent"}};
  status["keying"] = {{"method", "ikev2"}, {"state", "waiting to try again"}, {"endpoint", longest}};
  status["paused_on"] = "enx00e04c680001";
  status["payload"] = "at home, not protected";
  status["last_error"]["what"] = "home agent " + longest + " does not answer (3 updates sent)";
  status["last_error"]["remedy"] = "check that mip6-ha is running there, and that ESP (protocol 50) gets through";
  status["warnings"] = {{{"what", "our certificate expires in 3 days"},
                         {"remedy", "have it renewed, replace the file, then: systemctl reload mnd"}}};
  for (const char* name : {"rate_limited", "sent_for_new_keys", "malformed"}) status["counters"][name] = 17;
  fits(render_status(status, Colours::kOff), 24);
}

TEST_CASE("colours are on each line of what is wrapped, and do not count") {
  const std::string words(100, 'x');
  auto status = troubled(true);
  status["last_error"]["what"] = "a long story " + words.substr(0, 40) + " " + words.substr(0, 40);
  std::istringstream lines{render_status(status, Colours::kOn)};
  for (std::string line; std::getline(lines, line);)
    if (line.find("\x1b[31m") != std::string::npos) CHECK(line.ends_with("\x1b[0m"));
}
