// See node_admin.hpp.
#include "examples/home-agent/node_admin.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <unordered_set>
#include <utility>

#include "examples/home-agent/authority.hpp"
#include "examples/home-agent/config_reader.hpp"
#include "examples/home-agent/file_change.hpp"
#include "examples/home-agent/home_addresses.hpp"
#include "examples/home-agent/machine.hpp"
#include "examples/home-agent/manual_keys.hpp"
#include "examples/home-agent/node_site.hpp"
#include "examples/home-agent/store.hpp"

namespace mip6ha {
namespace {

using mip6::Error;

constexpr std::ptrdiff_t kMostManual = 1000;  // their names go to the home agent in one request

// --- one node's files ---

// 32 random bytes in hexadecimal digits.
std::string make_secret(mip6::Random& random) {
  std::string text;
  for (int word = 0; word < 8; ++word) text += fmt::format("{:08x}", random.draw());
  return text;
}

// What is made of a wanted node, before it is written.
struct Draft {
  NodeConfig node;
  Method method = Method::kPreSharedKey;
  std::string for_node;        // the secret as the node needs it
  std::string for_us;          // what is kept of it
  std::filesystem::path kept;  // where
};

std::string section_of(const Draft& draft) {
  auto text = fmt::format("# by mip6-ha add\n[node {}]\nhome-address = {}\n", draft.node.name,
                          draft.node.home_address.to_string());
  if (draft.method != Method::kManual && draft.node.identity != draft.node.home_address.to_string())
    text += fmt::format("identity = {}\n", draft.node.identity);
  if (draft.method == Method::kPreSharedKey) text += fmt::format("secret-file = {}\n", draft.kept.string());
  if (draft.method == Method::kManual) text += fmt::format("manual-keys = {}\n", draft.kept.string());
  if (draft.method == Method::kCertificate) text += fmt::format("certificate = {}\n", draft.kept.string());
  return text;
}

// SPIs towards us, which must differ.
using Spis = std::set<std::uint32_t>;

tl::expected<std::string, Error> make_keys(Spis& spis) {
  for (;;) {
    auto text = mnd::kernel::make_manual_keys();
    if (!text) return text;
    const auto keys = mnd::kernel::parse_manual_keys(*text, {});
    if (keys && spis.insert(keys->to_home_agent.spi).second) return text;
  }
}

tl::expected<void, Error> make_proof(Draft& draft, const Site& site, Spis& spis, mip6::Random& random) {
  switch (draft.method) {
    case Method::kPreSharedKey:
      draft.for_us = draft.for_node = make_secret(random) + '\n';
      return {};
    case Method::kManual: {
      auto keys = make_keys(spis);
      if (!keys) return tl::unexpected(keys.error());
      draft.for_us = draft.for_node = std::move(*keys);
      return {};
    }
    case Method::kCertificate:
      break;
  }
  std::vector<std::string> names{draft.node.home_address.to_string()};
  if (draft.node.identity != names.front()) names.push_back(draft.node.identity);
  const auto issued = site.authority.issue(draft.node.name, names);
  if (!issued) return tl::unexpected(issued.error());
  const auto root = site.authority.certificate();
  if (!root) return tl::unexpected(root.error());
  draft.for_us = issued->certificate;
  draft.for_node = issued->key + issued->certificate + *root;
  return {};
}

// --- bundles ---

// Puts the node's bundle where it is wanted; what is to be told of the node.
NodeReport hand_out(const Draft& draft, const Site& site, const Output& output, bool many, FileChange& change,
                    Report& report) {
  NodeReport told{.name = draft.node.name,
                  .home_address = draft.node.home_address,
                  .identity = draft.method == Method::kManual ? std::string{} : draft.node.identity,
                  .method = draft.method,
                  .mnd_conf = mnd_conf(site.config, site.top, site.section(draft.node.name), draft.node, draft.method),
                  .secret = {},
                  .bundle = {}};
  if (output.path.empty() && !output.standard) {
    told.secret = draft.kept;
    return told;
  }
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  auto text = bundle(told.mnd_conf, draft.method, draft.for_node, now);
  if (output.standard) {
    report.bundle = std::move(text);
    return told;
  }
  told.bundle = many ? output.path / (told.name + ".tar") : output.path;
  change.create(told.bundle, std::move(text), 0600);
  return told;
}

Mistakes check_output(const Output& output, bool many, bool certificates) {
  if (output.path.empty() && !output.standard && certificates)
    return {told("a node's private key is not kept here", "name the file that it gets: --out FILE")};
  if (!many || output.path.empty()) return {};
  std::error_code error;
  if (std::filesystem::create_directory(output.path, error))
    std::filesystem::permissions(output.path, std::filesystem::perms::owner_all, error);
  if (error) return {told(fmt::format("{}: {}", output.path.string(), error.message()), "name a folder: --out FOLDER")};
  return {};
}

// --- the running home agent ---

bool nobody_there(const Error& error) { return error.os_error == ENOENT || error.os_error == ECONNREFUSED; }

// Keys that were just made have no record: the store takes them as never used.
Mistakes note_new_keys(const Config& config, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  const auto store = Store::open(config.state_directory);
  if (!store) return {told(store.error())};
  for (const auto& node : config.nodes)
    if (std::find(names.begin(), names.end(), node.name) != names.end())
      if (const auto noted = take_as_new(**store, node); !noted) return {told(noted.error())};
  return {};
}

// Also where none runs: its disk must know of new manual keys. One that runs finds the mistakes itself: thousands of
// files are not read twice.
Mistakes tell_agent(const Site& site, const Tools& tools, Report& report) {
  std::vector<std::string> manual;
  for (const auto& node : report.nodes)
    if (node.method == Method::kManual && !node.mnd_conf.empty()) manual.push_back(node.name);
  const auto answer = tools.ask(site.config.control_socket, {{"command", "reload"}, {"keys_are_new", manual}});
  if (!answer && nobody_there(answer.error())) {
    auto config = load_config(site.path);
    return config ? note_new_keys(*config, manual) : std::move(config.error());
  }
  report.agent_running = true;
  if (!answer) return {told(answer.error())};
  if (const auto restart = answer->find("restart"); restart != answer->end() && !restart->empty())
    report.notes.push_back("the home agent takes part of it after: systemctl restart mip6-ha");
  const auto failed = answer->find("failed");
  if (failed == answer->end() || !failed->is_array()) return {};
  for (const auto& one : *failed)
    report.notes.push_back(fmt::format("home agent: {} ({})", one.value("what", "?"), one.value("remedy", "?")));
  return {};
}

// --- add ---

class Names {
 public:
  explicit Names(const Site& site) : site_{site} {
    addresses_.insert(site.config.address);
    for (const auto& node : site.config.nodes) {
      names_.insert(node.name);
      addresses_.insert(node.home_address);
      if (!node.identity.empty()) identities_.insert(node.identity);
    }
    for (const auto& address : addresses_on({})) addresses_.insert(address);
  }

  // Of the wanted nodes all that have an address named come before those that take a free one.
  void reserve(const WantedNode& wanted, Mistakes& mistakes) {
    if (!is_node_name(wanted.name))
      mistakes.push_back(about(wanted, fmt::format("'{}' is not a node's name", printable(wanted.name)),
                               fmt::format("write 1 to {} of a-z, 0-9 and -", kMaxNodeName)));
    else if (!names_.insert(wanted.name).second)
      mistakes.push_back(about(wanted, fmt::format("there is a node {} already", wanted.name),
                               "choose another name, or remove that one first"));
    if (!wanted.address) return;
    const auto* prefix = site_.config.prefix_of(*wanted.address);
    const auto objection = objection_to(prefix != nullptr ? *prefix : site_.config.prefix, *wanted.address);
    if (!objection.empty())
      mistakes.push_back(
          about(wanted, fmt::format("{} {}", wanted.address->to_string(), objection), "name another address, or none"));
    else if (!addresses_.insert(*wanted.address).second)
      mistakes.push_back(
          about(wanted, fmt::format("{} is in use", wanted.address->to_string()), "name another address, or none"));
  }

  // After all are reserved.
  std::optional<mip6::Ipv6Address> choose(const WantedNode& wanted, mip6::Random& random, Mistakes& mistakes) {
    if (wanted.address) return wanted.address;
    const auto chosen = free_address(site_.config.prefix, addresses_, random);
    if (chosen)
      addresses_.insert(*chosen);
    else
      mistakes.push_back(about(wanted, fmt::format("no address of {} is free", site_.config.prefix.to_string()),
                               "remove a node, or take a shorter prefix"));
    return chosen;
  }

  void identity(const WantedNode& wanted, const std::string& identity, Mistakes& mistakes) {
    const auto plain = [](char one) { return one > 0x20 && one < 0x7f && one != '"'; };
    if (identity.empty() || identity.size() > kMaxIdentity || !std::all_of(identity.begin(), identity.end(), plain))
      mistakes.push_back(about(wanted, fmt::format("'{}' is not an identity", printable(identity)),
                               "write one without blanks and quotes, such as laptop@example.org"));
    else if (identity == site_.config.identity || !identities_.insert(identity).second)
      mistakes.push_back(
          about(wanted, fmt::format("the identity '{}' is in use", identity), "give the node one of its own"));
  }

 private:
  static ConfigMistake about(const WantedNode& wanted, std::string what, std::string remedy) {
    return wanted.file.empty() ? told(std::move(what), std::move(remedy))
                               : ConfigMistake{wanted.file, wanted.line, std::move(what), std::move(remedy)};
  }

  const Site& site_;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> identities_;
  std::unordered_set<mip6::Ipv6Address> addresses_;
};

Mistakes make_drafts(const Site& site, const std::vector<WantedNode>& wanted, mip6::Random& random,
                     std::vector<Draft>& drafts) {
  Mistakes mistakes;
  Names names{site};
  for (const auto& one : wanted) names.reserve(one, mistakes);
  if (!mistakes.empty()) return mistakes;
  for (const auto& one : wanted) {
    const auto address = names.choose(one, random, mistakes);
    if (!address) continue;
    Draft draft{
        .node = {}, .method = one.method, .for_node = {}, .for_us = {}, .kept = site.kept(one.name, one.method)};
    draft.node.name = one.name;
    draft.node.home_address = *address;
    draft.node.identity = one.identity.empty() ? address->to_string() : one.identity;
    names.identity(one, draft.node.identity, mistakes);
    drafts.push_back(std::move(draft));
  }
  return mistakes;
}

Spis spis_of(const Config& config) {
  Spis spis;
  for (const auto& node : config.nodes)
    if (node.manual_keys) spis.insert(node.manual_keys->to_home_agent.spi);
  return spis;
}

}  // namespace

Outcome add_nodes(const std::filesystem::path& path, const std::vector<WantedNode>& wanted, const Output& output,
                  bool many, const Tools& tools) {
  auto opened = open_site(path);
  if (!opened) return tl::unexpected(std::move(opened.error()));
  auto& [site, change] = *opened;
  const bool certificates = std::ranges::any_of(wanted, [](auto& one) { return one.method == Method::kCertificate; });
  const auto manual = std::ranges::count_if(wanted, [](auto& one) { return one.method == Method::kManual; });
  if (manual > kMostManual)
    return tl::unexpected(Mistakes{told(fmt::format("{} nodes with manual keys at once", manual),
                                        "use IKE for so many (RFC 6275 section 15.3), or several tables")});
  std::vector<Draft> drafts;
  auto mistakes = make_drafts(site, wanted, tools.random, drafts);
  if (mistakes.empty()) mistakes = check_output(output, many, certificates);
  if (mistakes.empty() && certificates) mistakes = site.prepare_certificates(change);
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));

  Report report;
  auto spis = spis_of(site.config);
  // Secrets first: a section never stands there without its own.
  for (auto& draft : drafts) {
    if (const auto made = make_proof(draft, site, spis, tools.random); !made)
      return tl::unexpected(Mistakes{told(made.error())});
    change.create(draft.kept, draft.for_us, 0640);
    report.nodes.push_back(hand_out(draft, site, output, many, change, report));
  }
  for (const auto& draft : drafts) change.create(site.section_file(draft.node.name), section_of(draft), 0640);
  if (const auto done = change.commit(); !done) return tl::unexpected(Mistakes{told(done.error())});
  mistakes = tell_agent(site, tools, report);
  if (mistakes.empty()) return report;
  change.undo();
  // One that answered too late may serve them by now.
  if (report.agent_running) static_cast<void>(tools.ask(site.config.control_socket, {{"command", "reload"}}));
  return tl::unexpected(std::move(mistakes));
}

// --- remove and rotate ---

Outcome remove_node(const std::filesystem::path& path, const std::string& name, const Tools& tools) {
  auto opened = open_site(path);
  if (!opened) return tl::unexpected(std::move(opened.error()));
  auto& [site, change] = *opened;
  const auto node = site.find(name);
  if (!node) return tl::unexpected(Mistakes{node.error()});
  change.remove(site.section_file(name));
  change.remove(node->kept);
  if (const auto done = change.commit(); !done) return tl::unexpected(Mistakes{told(done.error())});
  Report report;
  report.nodes.push_back({.name = name,
                          .home_address = node->node.home_address,
                          .identity = node->node.identity,
                          .method = node->method,
                          .mnd_conf = {},
                          .secret = {},
                          .bundle = {}});
  auto mistakes = tell_agent(site, tools, report);
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return report;
}

Outcome rotate_node(const std::filesystem::path& path, const std::string& name, const Output& output,
                    const Tools& tools) {
  auto opened = open_site(path);
  if (!opened) return tl::unexpected(std::move(opened.error()));
  auto& [site, change] = *opened;
  const auto node = site.find(name);
  if (!node) return tl::unexpected(Mistakes{node.error()});
  const bool certificate = node->method == Method::kCertificate;
  auto mistakes = check_output(output, false, certificate);
  if (mistakes.empty() && certificate) mistakes = site.prepare_certificates(change);
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  Draft draft{.node = node->node, .method = node->method, .for_node = {}, .for_us = {}, .kept = node->kept};
  auto spis = spis_of(site.config);
  if (const auto made = make_proof(draft, site, spis, tools.random); !made)
    return tl::unexpected(Mistakes{told(made.error())});
  Report report;
  report.nodes.push_back(hand_out(draft, site, output, false, change, report));
  change.replace(draft.kept, draft.for_us, 0640);
  if (const auto done = change.commit(); !done) return tl::unexpected(Mistakes{told(done.error())});
  mistakes = tell_agent(site, tools, report);
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return report;
}

}  // namespace mip6ha
