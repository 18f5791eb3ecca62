// See admin_cli.hpp.
#include "examples/home-agent/admin_cli.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "examples/home-agent/commands.hpp"
#include "examples/home-agent/init.hpp"
#include "examples/home-agent/node_admin.hpp"
#include "mnd/linux/config_mistakes.hpp"
#include "mnd/linux/control_server.hpp"
#include "mnd/linux/durable_file.hpp"
#include "mnd/linux/system_random.hpp"

namespace mip6ha {
namespace {

using Given = AdminCommand::Given;
using nlohmann::json;

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

constexpr std::array<std::string_view, 5> kInitMay{"prefix", "interface", "address", "force", "mend"};
constexpr std::array<std::string_view, 7> kAddMay{"address", "psk", "certificate", "manual", "identity", "out", "from"};
constexpr std::array<std::string_view, 1> kRotateMay{"out"};

std::string text(const Given& given, const char* option) {
  return given.contains(option) ? given[option].as<std::string>() : std::string{};
}

std::filesystem::path config_of(const Given& given) {
  const auto named = text(given, "config");
  return named.empty() ? std::filesystem::path{kDefaultConfig} : std::filesystem::path{named};
}

int usage_error(std::string_view what) {
  fmt::print(stderr, "mip6-ha: {} (try mip6-ha --help)\n", what);
  return kExitUsage;
}

int refused(const Mistakes& mistakes, const Given& given) {
  for (const auto& mistake : mistakes) fmt::print(stderr, "{}\n", mistake.to_string());
  if (given.contains("json"))
    fmt::print("{}\n",
               line_of({{"version", mnd::kernel::kControlVersion}, {"mistakes", mnd::kernel::to_json(mistakes)}}));
  return kExitFailure;
}

// --- what is told ---

json node_json(const NodeReport& node) {
  json told{{"name", node.name}, {"home_address", node.home_address.to_string()}, {"method", name_of(node.method)}};
  if (!node.identity.empty()) told["identity"] = node.identity;
  if (!node.mnd_conf.empty()) told["mnd_conf"] = node.mnd_conf;
  if (!node.secret.empty()) told["secret_file"] = node.secret.string();
  if (!node.bundle.empty()) told["bundle"] = node.bundle.string();
  return told;
}

json report_json(const Report& report) {
  json nodes = json::array();
  for (const auto& node : report.nodes) nodes.push_back(node_json(node));
  return {{"version", mnd::kernel::kControlVersion},
          {"nodes", nodes},
          {"agent", report.agent_running ? "reloaded" : "not running"},
          {"notes", report.notes}};
}

std::string node_text(const NodeReport& node, bool one) {
  if (!one || node.mnd_conf.empty())
    return fmt::format("{} {}{}\n", node.name, node.home_address.to_string(), node.mnd_conf.empty() ? " removed" : "");
  auto text = fmt::format("# /etc/mnd/mnd.conf of {}\n{}", node.name, node.mnd_conf);
  if (!node.bundle.empty())
    text += fmt::format("# all of this is in {}; on the laptop, as root: tar -C /etc -xf {}\n", node.bundle.string(),
                        node.bundle.filename().string());
  if (!node.secret.empty())
    text += fmt::format("# the node needs {} as /etc/mnd/{}, mode 0600 (with --out FILE it is packed up)\n",
                        node.secret.string(), secret_name(node.method));
  return text;
}

std::string report_text(const Report& report) {
  std::string text;
  for (const auto& node : report.nodes) text += node_text(node, report.nodes.size() == 1);
  const bool manual = std::ranges::any_of(report.nodes, [](auto& node) { return node.method == Method::kManual; });
  if (manual && !report.nodes.front().mnd_conf.empty())
    text += "# keys set by hand: before its first start a node is told so once, with mnd --keys-are-new\n";
  if (!report.agent_running) text += "# no home agent is running here; it takes this up when it starts\n";
  for (const auto& note : report.notes) text += fmt::format("# {}\n", note);
  return text;
}

// A bundle on the standard output goes alone: somebody's tar reads it.
int tell(const Outcome& outcome, const Given& given) {
  if (!outcome) return refused(outcome.error(), given);
  const bool as_json = given.contains("json");
  fmt::print(outcome->bundle ? stderr : stdout, "{}",
             as_json ? line_of(report_json(*outcome)) + '\n' : report_text(*outcome));
  if (outcome->bundle &&
      std::fwrite(outcome->bundle->data(), 1, outcome->bundle->size(), stdout) < outcome->bundle->size())
    return kExitFailure;
  return std::fflush(stdout) == 0 ? 0 : kExitFailure;
}

json findings_json(const std::vector<MachineFinding>& findings) {
  json all = json::array();
  for (const auto& one : findings)
    all.push_back({{"check", one.check}, {"good", one.good}, {"what", one.what}, {"remedy", one.remedy}});
  return all;
}

void print(const std::vector<MachineFinding>& findings) {
  for (const auto& one : findings)
    fmt::print("{} {}: {}{}\n", one.good ? "good" : "TO DO", one.check, one.what,
               one.good ? "" : "\n      " + one.remedy);
}

// --- the commands ---

int run_init(const Given& given, const std::string&) {
  InitRequest request{.config = config_of(given),
                      .prefix = text(given, "prefix"),
                      .interface = text(given, "interface"),
                      .address = {},
                      .force = given.contains("force"),
                      .mend = given.contains("mend")};
  if (request.prefix.empty() || request.interface.empty()) return usage_error("init needs --prefix and --interface");
  if (given.contains("address")) request.address = text(given, "address");
  const auto done = init(request);
  if (!done) return refused(done.error(), given);
  if (given.contains("json")) {
    fmt::print("{}\n", line_of({{"version", mnd::kernel::kControlVersion},
                                {"config", request.config.string()},
                                {"address", done->config.address.to_string()},
                                {"mended", done->mended},
                                {"findings", findings_json(done->findings)}}));
    return 0;
  }
  fmt::print("{}: home agent {} on {}\n", request.config.string(), done->config.address.to_string(),
             done->config.interface);
  for (const auto& one : done->mended) fmt::print("done  {}\n", one);
  print(done->findings);
  return 0;
}

std::optional<Output> output_of(const Given& given) {
  Output output;
  const auto named = text(given, "out");
  output.standard = named == "-";
  if (output.standard && ::isatty(STDOUT_FILENO) != 0) return std::nullopt;
  if (!output.standard && !named.empty()) output.path = std::filesystem::absolute(named);
  return output;
}

tl::expected<std::vector<WantedNode>, Mistakes> nodes_of(const Given& given, const std::string& name, Method method) {
  if (!given.contains("from")) {
    WantedNode wanted{.name = name, .method = method, .identity = text(given, "identity")};
    const auto address = text(given, "address");
    wanted.address = mip6::Ipv6Address::parse(address);
    if (given.contains("address") && !wanted.address)
      return tl::unexpected(Mistakes{{"mip6-ha", 0, fmt::format("'{}' is not an IPv6 address", address),
                                      "write it as 2001:db8:1::42, or leave it out"}});
    return std::vector{wanted};
  }
  const auto file = text(given, "from");
  const auto table = mnd::kernel::read_durable(file);
  if (!table || !*table)
    return tl::unexpected(Mistakes{{file, 0, table ? "no such file" : table.error().to_string(), "name a table"}});
  return parse_nodes(**table, file, method);
}

int run_add(const Given& given, const std::string& name) {
  const bool many = given.contains("from");
  if (many && !name.empty()) return usage_error("add takes the name of a node or --from FILE, not both");
  if (!many && name.empty()) return usage_error("add needs the name of a node, or --from FILE");
  if (many && (given.contains("address") || given.contains("identity")))
    return usage_error("--address and --identity are for one node; a table has them in its lines");
  auto method = Method::kPreSharedKey;
  int methods = 0;
  for (const auto one : {Method::kPreSharedKey, Method::kCertificate, Method::kManual})
    if (given.contains(std::string{name_of(one)})) {
      method = one;
      ++methods;
    }
  if (methods > 1) return usage_error("--psk, --certificate and --manual exclude each other");
  if (method == Method::kManual && given.contains("identity"))
    return usage_error("--identity is for keys by IKE: manual keys prove none");
  const auto output = output_of(given);
  if (!output) return usage_error("--out - has secrets: send it to a file or to another program");
  if (many && output->standard) return usage_error("--out - is for one node: name a folder");
  const auto wanted = nodes_of(given, name, method);
  if (!wanted) return refused(wanted.error(), given);
  mnd::kernel::SystemRandom random;
  return tell(add_nodes(config_of(given), *wanted, *output, many, {random, ask_daemon}), given);
}

int run_remove(const Given& given, const std::string& name) {
  if (name.empty()) return usage_error("remove needs the name of a node");
  mnd::kernel::SystemRandom random;
  return tell(remove_node(config_of(given), name, {random, ask_daemon}), given);
}

int run_rotate(const Given& given, const std::string& name) {
  if (name.empty()) return usage_error("rotate needs the name of a node");
  const auto output = output_of(given);
  if (!output) return usage_error("--out - has secrets: send it to a file or to another program");
  mnd::kernel::SystemRandom random;
  return tell(rotate_node(config_of(given), name, *output, {random, ask_daemon}), given);
}

constexpr std::array<AdminCommand, 4> kAdminCommands{{
    {"init", "--prefix P --interface I [--address A] [--force] [--mend]", "write a configuration and check the machine",
     kInitMay, false, run_init},
    {"add", "NAME [--address A] [--psk | --certificate | --manual] [--identity ID] [--out FILE]",
     "give a node address and secret (--from TABLE: many)", kAddMay, true, run_add},
    {"remove", "NAME", "serve a node no longer", {}, true, run_remove},
    {"rotate", "NAME [--out FILE]", "give a node a new key; the old one is dead", kRotateMay, true, run_rotate},
}};

}  // namespace

std::span<const AdminCommand> admin_commands() { return kAdminCommands; }

const AdminCommand* find_admin_command(std::string_view name) {
  const auto found = std::ranges::find(kAdminCommands, name, &AdminCommand::name);
  return found == kAdminCommands.end() ? nullptr : &*found;
}

boost::program_options::options_description admin_options() {
  namespace options = boost::program_options;
  options::options_description all{"options of init, add, remove and rotate"};
  const auto value = [](const char* name) { return options::value<std::string>()->value_name(name); };
  all.add_options()("prefix", value("P"), "the home link's prefix")(
      "interface", value("I"), "the home link's interface")("address", value("A"),
                                                            "our own address, or the node's; by default one is chosen")(
      "force", "init: replace a configuration that is there")(
      "mend", "init: switch forwarding on and bound charon's half-open connections, also for later starts")(
      "psk", "the node proves itself by a secret (default)")(
      "certificate", "by a certificate of an authority of our own, made on first use")(
      "manual", "no IKE: keys set by hand")("identity", value("ID"), "the node's name in IKE; default: its address")(
      "out", value("FILE"), "an archive for the laptop, to be unpacked in /etc; -: to standard output")(
      "from", value("TABLE"), "add: nodes from lines NAME[,ADDRESS[,METHOD]]; --out names a folder then");
  return all;
}

int run_admin(const AdminCommand& command, const std::vector<std::string>& words, const Given& given) {
  if (words.size() > (command.named ? 2U : 1U)) return usage_error(fmt::format("{}: too many words", command.name));
  for (const auto& [name, value] : given) {
    const bool fits = value.defaulted() || name == "config" || name == "json" || name == "command" ||
                      std::ranges::find(command.may, name) != command.may.end();
    if (!fits) return usage_error(fmt::format("{} has no option --{}", command.name, name));
  }
  return command.run(given, words.size() > 1 ? words[1] : std::string{});
}

int tell_machine(const std::filesystem::path& config, const mip6::Error& error, bool as_json) {
  fmt::print(stderr, "mip6-ha: {}\n", error.to_string());
  auto told = error_json(error);
  const auto read = load_config(config);
  if (read) {
    auto findings = examine_machine(read_health_before_start(*read));
    for (auto& [check, what, remedy] : findings_of(read->warnings))
      findings.push_back({std::move(check), false, std::move(what), std::move(remedy)});
    told["findings"] = findings_json(findings);
    if (!as_json) print(findings);
  } else {
    for (const auto& mistake : read.error()) fmt::print(stderr, "{}\n", mistake.to_string());
    told["mistakes"] = mnd::kernel::to_json(read.error());
  }
  if (as_json) fmt::print("{}\n", line_of(told));
  return kExitFailure;
}

}  // namespace mip6ha
