// The table of commands is what completion and manual know; and each command talks to a daemon played here.
#include "mnd/ctl/commands.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

#include "tests/catch.hpp"
#include "tests/unit/printed.hpp"
#include "tests/unit/source_folder.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mip6ctl;

namespace {

std::string file_of_project(const char* name) {
  std::ifstream file{source_folder() / name};
  INFO(name);
  REQUIRE(file.is_open());
  return {std::istreambuf_iterator<char>{file}, {}};
}

// Accepts clients until one asks something, reads that line, writes `answer` and closes. Blocking, in a thread of its
// own.
class PlayedDaemon {
 public:
  explicit PlayedDaemon(std::string answer) : fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options.socket.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd_, 1) == 0);
    thread_ = std::thread{[this, answer = std::move(answer)] {
      while (request.empty()) {
        const int client = ::accept(fd_, nullptr, nullptr);
        if (client < 0) return;
        char byte = 0;
        while (::read(client, &byte, 1) == 1 && byte != '\n') request += byte;
        if (!request.empty()) ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
        ::close(client);
      }
    }};
  }
  ~PlayedDaemon() {
    ::shutdown(fd_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(fd_);
  }
  // What the client asked, when it is served.
  json asked() {
    thread_.join();
    return json::parse(request);
  }

  TemporaryFolder folder;
  Options options{.socket = (folder / "s").string(),
                  .resolvers = (folder / "resolv.conf").string(),
                  .kernel = {folder / "proc", folder / "loaded", folder / "modules", folder / "config"}};

 private:
  int fd_;
  std::string request;
  std::thread thread_;
};

struct Said {
  int status = 0;
  std::string text;
};

// The whole program, and what it writes to `output`.
Said said(std::vector<std::string> words, int output) {
  words.insert(words.begin(), "mip6ctl");
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  Said result;
  result.text = printed([&] { result.status = run(static_cast<int>(arguments.size()), arguments.data()); }, output);
  return result;
}

bool has(const std::string& text, std::string_view part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("every command is in the manual page and in the completion") {
  const auto manual = file_of_project("packaging/man/mip6ctl.1");
  const auto completion = file_of_project("packaging/completions/mip6ctl.bash");
  for (const auto& command : kCommands) {
    INFO(command.name);
    CHECK(manual.find(".It Cm " + std::string{command.name}) != std::string::npos);
    CHECK(completion.find(command.name) != std::string::npos);
  }
}

TEST_CASE("what is installed for completion is what is printed") {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    INFO(shell);
    CHECK(file_of_project(("packaging/completions/mip6ctl." + shell).c_str()) == completion_for(shell));
  }
  CHECK(completion_for("csh").empty());
  CHECK(run_completion(Options{}) == kUsage);
  CHECK(run_completion(Options{.words = {"csh"}}) == kUsage);
}

// What a daemon has said, in the lab.
TEST_CASE("what the manual page shows is what is printed") {
  const auto manual = file_of_project("packaging/man/mip6ctl.1");
  const auto shows = [&](const std::string& command, const std::string& printed) {
    INFO(printed);
    CHECK(manual.find("\n$ " + command + "\n" + printed) != std::string::npos);
  };
  shows("mip6ctl",
        render_status(json::parse(
                          R"({"advice":[],"attachment":{"at_home":false,"care_of":"2001:db8:a1:0:38c6:e5ff:fe15:a7f6",
  "interface":"w1","reason":"preferred interface w1"},"counters":{"acknowledged":3,"binding_errors":0,"dropped":{},
  "ignored":0,"kernel":{},"malformed":0,"parameter_problems":0,"rate_limited":0,"refused":0,"retransmissions":0,
  "sent_for_new_keys":0,"tunnel_dropped":0,"updates_sent":3},"expires_in_s":418.046682368,
  "home_address":"2001:db8:1::42","home_agent":"2001:db8:1::1","key_mobility":true,
  "keying":{"endpoint":"2001:db8:a1:0:38c6:e5ff:fe15:a7f6","method":"ikev2","migration_failed":false,
  "state":"established"},"last_error":null,"lifetime_s":420,"payload":"not protected",
  "registered_at":"2001:db8:a1:0:38c6:e5ff:fe15:a7f6","sequence":2,"state":"registered","version":1,"warnings":[]})"),
                      Colours::kOff));
  shows("mip6ctl sequence", render_sequence(json::parse(R"({"forecast":[
  {"per_ten_minutes":2.0,"rate":"present","until_half_s":9829800.0,"until_whole_s":19660200.0},
  {"per_ten_minutes":0.3333333333333333,"rate":"average","until_half_s":58978800.0,"until_whole_s":117961200.0},
  {"per_ten_minutes":2.0,"rate":"highest","until_half_s":9829800.0,"until_whole_s":19660200.0},
  {"per_ten_minutes":1.0,"rate":"every 10 minutes","until_half_s":19659600.0,"until_whole_s":39320400.0}],
  "last":57697,"limit":32768,"method":"ikev2","reserved_until":57760,"used":2,"version":1})")));
  const auto event = [](const char* time, const char* kind, const char* text) {
    return render_event({{"time", time}, {"kind", kind}, {"text", text}}, Colours::kOff) + "\n";
  };
  shows("mip6ctl events",
        event("2026-11-29T11:32:45.631Z", "registered",
              "care-of 2001:db8:a2:0:e4ab:3aff:fe55:b4d1 registered in 19.7 ms for 420 s (seq 57697, K agreed)") +
            event("2026-11-29T11:32:45.854Z", "keys", "IKE endpoint moved to 2001:db8:a2:0:e4ab:3aff:fe55:b4d1"));
}

TEST_CASE("status asks for the status and is well without trouble") {
  PlayedDaemon daemon{"{\"version\":1,\"state\":\"registered\"}\n"};
  CHECK(run_status(daemon.options) == kOk);
  CHECK(daemon.asked() == json{{"command", "status"}});
}

TEST_CASE("how it is can be told by the exit code of status") {
  const auto code_of = [](const json& status) {
    PlayedDaemon daemon{status.dump() + "\n"};
    return run_status(daemon.options);
  };
  const json trouble{{"what", "x"}, {"current", true}};
  const json over{{"what", "x"}, {"current", false}};
  CHECK(code_of({{"state", "registered"}, {"last_error", over}}) == kOk);
  CHECK(code_of({{"state", "at home"}}) == kOk);
  CHECK(code_of({{"state", "registered"}, {"last_error", trouble}}) == kFailed);
  CHECK(code_of({{"state", "registering"}, {"last_error", trouble}}) == kNotRegistered);
  CHECK(code_of({{"state", "detached"}}) == kNotRegistered);
  CHECK(code_of(json::object()) == kNotRegistered);
}

TEST_CASE("an error of the daemon has the exit code of its kind") {
  const auto code_of = [](const char* kind) {
    const json error{{"what", "detached"}, {"remedy", "plug in a cable"}, {"kind", kind}};
    PlayedDaemon daemon{json{{"version", 1}, {"error", error}}.dump() + "\n"};
    const int code = run_refresh(daemon.options);
    CHECK(daemon.asked() == json{{"command", "refresh"}});
    return code;
  };
  CHECK(code_of("failed") == kFailed);
  CHECK(code_of("") == kFailed);  // of an older daemon
  CHECK(code_of("not-registered") == kNotRegistered);
  CHECK(code_of("not-permitted") == kNotPermitted);
}

TEST_CASE("a daemon that may not be asked is told from one that is not there") {
  CHECK(exit_of(Failure{"x", "y", true}) == kNotPermitted);
  CHECK(exit_of(Failure{"x", "y", false}) == kNotRunning);
}

TEST_CASE("who tells that a link is about to go waits until the node has moved") {
  const auto status = [](const char* interface, const char* care_of, const char* registered) {
    return json{{"state", "registering"},
                {"attachment", {{"interface", interface}, {"care_of", care_of}}},
                {"registered_at", registered}}
               .dump() +
           "\n";
  };
  const auto told = [](const std::string& answers) {
    PlayedDaemon daemon{answers};
    daemon.options.words = {"pre-down", "w1"};
    const int code = run_network(daemon.options);
    CHECK(daemon.asked() == json{{"command", "network"}, {"event", "pre-down"}, {"interface", "w1"}});
    return code;
  };
  const auto waits = status("w2", "2001:db8:a2::7", "2001:db8:a1::7");
  CHECK(told(waits) == kFailed);  // and the daemon hung up
  CHECK(told(waits + "{\"kind\":\"event\"}\n" + status("w2", "2001:db8:a2::7", "2001:db8:a2::7")) == kOk);
  CHECK(told(status("w1", "2001:db8:a1::7", "2001:db8:a1::7")) == kOk);  // there is no other link
  CHECK(told("{\"state\":\"detached\",\"attachment\":null}\n") == kOk);
}

TEST_CASE("network wants an event, and does not care for a daemon that is not there") {
  CHECK(run_network(Options{.socket = "/nonexistent/control.sock"}) == kUsage);
  CHECK(run_network(Options{.socket = "/nonexistent/control.sock", .words = {"up", "w1"}}) == kNotRunning);
}

TEST_CASE("an event that there is none is wrong usage, and those that there are are told") {
  for (const std::string event : {"pre-down", "up", "down", "vpn-up", "connectivity-change"}) {
    INFO(event);
    CHECK(run_network(Options{.socket = "/nonexistent/control.sock", .words = {event, "w1"}}) == kNotRunning);
    for (const std::string shell : {"bash", "zsh", "fish"}) CHECK(has(completion_for(shell), event));
  }
  for (const std::string event : {"bogus", "pre-up", ""}) {
    const auto told = said({"--socket", "/nonexistent/control.sock", "network", event, "w1"}, STDERR_FILENO);
    CHECK(told.status == kUsage);
    CHECK(has(told.text, "pre-down, up, down, vpn-up, connectivity-change"));
  }
}

TEST_CASE("NetworkManager's hook passes on the events that there are, and no other") {
  std::ifstream hook(source_folder() / "packaging/networkmanager/90-mnd");
  std::set<std::string> passed;
  std::string line;
  while (std::getline(hook, line) && line != "case $event in") {
  }
  while (std::getline(hook, line) && line != "esac") {  // "  pre-down | vpn-up) ;;"
    std::istringstream labels(line.substr(0, line.find(')')));
    for (std::string label; std::getline(labels, label, '|');)
      passed.insert(
          label.substr(label.find_first_not_of(' '), label.find_last_not_of(' ') - label.find_first_not_of(' ') + 1));
  }
  CHECK(passed.erase("*") == 1);
  std::set<std::string> known;
  std::istringstream events{std::string{kNetworkEvents}};
  for (std::string event; std::getline(events, event, '|');) known.insert(event);
  CHECK(passed == known);
}

TEST_CASE("what is in effect does not come from a file that is named") {
  const auto told = said({"--socket", "/nonexistent/control.sock", "config", "show", "--config", "/x"}, STDERR_FILENO);
  CHECK(told.status == kUsage);
  CHECK(has(told.text, "--config"));
  CHECK(said({"config", "check", "--config", "/x"}, STDERR_FILENO).status == kFailed);
}

TEST_CASE("of an unknown command the one that is meant is told") {
  const auto told = said({"evnets"}, STDERR_FILENO);
  CHECK(told.status == kUsage);
  CHECK(has(told.text, "unknown command 'evnets'"));
  CHECK(has(told.text, "did you mean 'events'?"));
  CHECK(said({"xyzzy"}, STDERR_FILENO).text.find("did you mean") == std::string::npos);
  CHECK(said({"foo"}, STDERR_FILENO).text.find("did you mean") == std::string::npos);
}

TEST_CASE("help prints what --help prints, of all or of a command") {
  const auto help = said({"--help"}, STDOUT_FILENO);
  CHECK(help.status == kOk);
  CHECK(has(help.text, "Usage: mip6ctl [OPTION...] [COMMAND]"));
  CHECK(said({"help"}, STDOUT_FILENO).text == help.text);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"help", "network"}, {"network", "--help"}}) {
    const auto of_one = said(words, STDOUT_FILENO);
    CHECK(of_one.status == kOk);
    CHECK(has(of_one.text, "Usage: mip6ctl [OPTION...] network EVENT [INTERFACE]"));
    CHECK(has(of_one.text, "EVENT: pre-down|up|"));
    CHECK(has(of_one.text, "--socket"));
    CHECK(of_one.text.find("--since") == std::string::npos);
  }
  CHECK(has(said({"help", "events"}, STDOUT_FILENO).text, "--since"));
  CHECK(said({"help", "bogus"}, STDERR_FILENO).status == kUsage);
  CHECK(said({"bogus", "--help"}, STDERR_FILENO).status == kUsage);
}

TEST_CASE("a daemon that is not there, hangs up or answers nonsense is not reachable") {
  CHECK(run_status(Options{.socket = "/nonexistent/control.sock"}) == kNotRunning);
  CHECK(run_status(Options{.socket = std::string(200, 'x')}) == kNotRunning);
  PlayedDaemon silent{""};
  CHECK(run_status(silent.options) == kNotRunning);
  PlayedDaemon nonsense{"220 mail.example.org ESMTP\n"};
  CHECK(run_status(nonsense.options) == kNotRunning);
}

TEST_CASE("events that are followed go on until the daemon ends, whatever else is in the stream") {
  PlayedDaemon daemon{"{\"events\":[{\"kind\":\"a\"}]}\n{\"state\":\"registered\"}\n{\"kind\":\"b\",\"text\":5}\n"};
  daemon.options.follow = true;
  CHECK(run_events(daemon.options) == kNotRunning);
  CHECK(daemon.asked() == json{{"command", "events"}, {"follow", true}});
}

TEST_CASE("events without follow end after the list") {
  PlayedDaemon daemon{"{\"events\":[{\"kind\":\"a\"},5,null]}\n"};
  CHECK(run_events(daemon.options) == kOk);
}

TEST_CASE("watch goes on until the daemon ends") {
  PlayedDaemon daemon{"{\"state\":\"registered\"}\n{\"kind\":\"x\"}\n{\"state\":\"detached\"}\n"};
  CHECK(run_watch(daemon.options) == kNotRunning);
}

TEST_CASE("events are shown from a time on, which is told as such or counted back") {
  const auto now = std::chrono::system_clock::from_time_t(1'795'766'555);  // 2026-11-27T08:02:35Z
  CHECK(since_text("", now) == "");
  CHECK(since_text("35s", now) == "2026-11-27T08:02:00");
  CHECK(since_text("2min", now) == "2026-11-27T08:00:35");
  CHECK(since_text("2m", now) == since_text("2min", now));
  CHECK(since_text("9h", now) == "2026-11-26T23:02:35");
  CHECK(since_text("1d", now) == "2026-11-26T08:02:35");
  CHECK(since_text("2026-11-27", now) == "2026-11-27");
  CHECK(since_text("2026-11-27T08:22:35.785Z", now) == "2026-11-27T08:22:35.785Z");
  for (const char* wrong : {"x", "5", "-5s", "5 s", "5y", "2026", "2026-11-27 08:00", "99999999999999999999d",
                            "2000000d", "2026-11-27T08:22:35.785Zx"}) {
    INFO(wrong);
    CHECK_FALSE(since_text(wrong, now));
  }
  CHECK(run_events(Options{.socket = "/nonexistent/control.sock", .since = "yesterday"}) == kUsage);
}

TEST_CASE("what is asked of the daemon has the command's name") {
  const auto asked = [](int (*run)(const Options&)) {
    PlayedDaemon daemon{"{\"version\":1,\"result\":\"ok\"}\n"};
    CHECK(run(daemon.options) == kOk);
    return daemon.asked();
  };
  for (const auto& command : kCommands) {
    const std::string name{command.name};
    if (name != "home" && name != "pause" && name != "resume" && name != "refresh" && name != "links" &&
        name != "keying" && name != "sequence" && name != "trace")
      continue;
    INFO(name);
    CHECK(asked(command.run) == json{{"command", name}});
  }
}

TEST_CASE("the doctor tells what the daemon's has found, and asks no resolver beside it") {
  const auto doctor = [](const char* findings, const char* resolvers) {
    PlayedDaemon daemon{"{\"version\":1,\"findings\":" + std::string{findings} + "}\n"};
    daemon.folder.file("resolv.conf", resolvers);
    const int code = run_doctor(daemon.options);
    CHECK(daemon.asked() == json{{"command", "doctor"}});
    return code;
  };
  CHECK(doctor(R"([{"check":"mtu","what":"w","remedy":"r"}])", "nameserver 100::53\n") == kFailed);
  CHECK(doctor("[]", "# none\n") == kOk);
}

TEST_CASE("the doctor names beside its question what the kernel lacks, as this process sees it") {
  PlayedDaemon daemon{"{\"version\":1,\"findings\":[]}\n"};
  std::string lists;
  for (const char* module : {"xfrm_user", "esp6", "ip6_tunnel", "sch_ingress", "cls_flower", "cls_matchall"})
    lists += "kernel/net/" + std::string{module} + ".ko.xz:\n";
  daemon.folder.file("modules/modules.dep", lists);
  daemon.folder.file("modules/modules.builtin", "kernel/net/sched/act_gact.ko\n");
  daemon.folder.file("config", "CONFIG_XFRM_SUB_POLICY=y\nCONFIG_XFRM_MIGRATE=y\nCONFIG_IPV6_MULTIPLE_TABLES=y\n");
  CHECK(run_doctor(daemon.options) == kOk);
  CHECK(daemon.asked() == json{{"command", "doctor"}, {"missing", {"mip6", "CONFIG_IPV6_SUBTREES"}}});
}

TEST_CASE("config wants to know what to do") {
  CHECK(run_config(Options{}) == kUsage);
  CHECK(run_config(Options{.words = {"mend"}}) == kUsage);
  CHECK(run_config(Options{.socket = "/nonexistent/control.sock", .words = {"show"}}) == kNotRunning);
}

TEST_CASE("the version is told with and without a daemon") {
  CHECK(run_version(Options{.socket = "/nonexistent/control.sock"}) == kOk);
  PlayedDaemon daemon{"{\"version\":1,\"mnd\":\"0.0.1\",\"started\":\"2026-11-27T08:22:35.785Z\"}\n"};
  CHECK(run_version(daemon.options) == kOk);
  CHECK(daemon.asked() == json{{"command", "version"}});
}
