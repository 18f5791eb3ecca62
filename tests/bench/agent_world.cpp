#include "tests/bench/agent_world.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "examples/home-agent/manual_keys.hpp"
#include "mnd/linux/kernel.hpp"
#include "tests/bench/turns.hpp"

namespace bench {
namespace {

using mip6::Ipv6Address;
namespace agent = mip6::agent;

constexpr std::int64_t kUnixTime = 1'700'000'000;

const Ipv6Address kAgent = Ipv6Address::parse("2001:db8:1:0:1::1").value();
const Ipv6Address kHome = Ipv6Address::parse("2001:db8:1::").value();
const Ipv6Address kCareOf[] = {Ipv6Address::parse("2001:db8:a1::").value(),
                               Ipv6Address::parse("2001:db8:a2::").value()};

template <class T>
T good(tl::expected<T, mip6::Error> result) {
  if (!result) throw std::runtime_error{result.error().to_string()};
  return std::move(*result);
}

// For its owner alone: a secret that others can read is refused.
void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file{path};
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  if (!(file << text << std::flush)) throw std::runtime_error{"cannot write " + path.string()};
}

}  // namespace

DiskFolder::DiskFolder() {
  std::string name = (std::filesystem::current_path() / "bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"cannot make " + name};
  path_ = name;
}

DiskFolder::~DiskFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

mip6ha::Config many_nodes(std::uint64_t nodes) {
  mip6ha::Config config;
  config.address = kAgent;
  config.interface = "home";
  config.prefix = mip6::Ipv6Prefix::parse("2001:db8:1::/64").value();
  config.identity = kAgent.to_string();
  config.nodes.reserve(nodes);  // load_config() leaves no room behind the last one either
  for (std::uint64_t node = 0; node < nodes; ++node) {
    auto& one = config.nodes.emplace_back();
    one.name = fmt::format("node-{}", node);
    one.home_address = numbered(kHome, node + 2);
    one.identity = fmt::format("node-{}@example.org", node);
    one.proof = ike::PreSharedKey{fmt::format("a secret of 32 characters {:06}", node)};
  }
  return config;
}

std::filesystem::path write_configuration(const mip6ha::Config& config, const std::filesystem::path& folder) {
  auto path = folder / "mip6-ha.conf";
  write(path, fmt::format("address = {}\ninterface = {}\nprefix = {}\n", config.address.to_string(), config.interface,
                          config.prefix.to_string()));
  const auto of_nodes = mip6ha::nodes_folder(path);
  std::filesystem::create_directory(of_nodes);
  for (const auto& node : config.nodes) {
    const auto secret = of_nodes / (node.name + ".secret");
    write(secret, std::get<ike::PreSharedKey>(node.proof).secret + '\n');
    write(of_nodes / (node.name + ".conf"),
          fmt::format("[node {}]\nhome-address = {}\nidentity = {}\nsecret-file = {}\n", node.name,
                      node.home_address.to_string(), node.identity, secret.string()));
  }
  return path;
}

AgentWorld::AgentWorld(const std::filesystem::path& folder, mip6ha::Config config)
    : config_{std::move(config)}, now_{mnd::kernel::boot_now()} {
  store_ = good(mip6ha::Store::open(folder));
  const auto nodes = take_up_nodes();
  mip6ha::Performer::Outlets outlets;
  outlets.to_agent = [this](agent::Event event) { queue_.push_back(std::move(event)); };
  outlets.to_keying = [](const ike::AgentKeyingEvent&) {};
  outlets.log = [](mnd::kernel::Level, const std::string&) {};
  outlets.failed = [](const mip6::Error& error) { throw std::runtime_error{error.to_string()}; };
  outlets.disk = [](bool) {};
  outlets.event = [](const mip6::Ipv6Address&, const std::string&) {};
  outlets.records_wait = [this] { ++groups_; };
  performer_ = std::make_unique<mip6ha::Performer>(kernel_, *store_, nodes, std::move(outlets));
  agent::Policy policy{.address = kAgent, .home_prefixes = {{.prefix = config_.prefix}}};
  policy.duplicate_address_detection = false;
  home_agent_ = std::make_unique<agent::HomeAgent>(policy, served_);
  make_keying();
  take_up_bindings();
}

void AgentWorld::make_keying() {
  ike::AgentKeyingPolicy keying{.home_agent = kAgent, .nodes = {}};
  for (const auto& node : config_.nodes) {
    served_.serve({.home_address = node.home_address, .dynamic_keys = true});
    keying.nodes.push_back(
        {.name = node.name,
         .home_address = node.home_address,
         .credentials = {.local_identity = config_.identity,
                         .remote_identity = node.identity,
                         .proof = node.proof,
                         .method = node.method},
         .reqid = reqids_.at(node.home_address),
         .number_known = numbers_known_.contains(node.home_address),
         .children = {{ike::ChildKind::kPrefixes, reqids_.at(node.home_address) + mnd::kernel::kPrefixesReqidOffset}}});
  }
  keying_ = std::make_unique<ike::AgentKeying>(std::move(keying));
  keying_->handle(ike::CharonConnected{}, now_);
}

mip6ha::NodeTable AgentWorld::take_up_nodes() {
  for (const auto& record : good(store_->records())) numbers_known_.insert(record.home_address);
  for (const auto& node : config_.nodes) good(mip6ha::judge(*store_, node, numbers_known_.contains(node.home_address)));
  std::vector<mip6ha::StoredNode> named;
  for (const auto& node : config_.nodes) named.push_back({.name = node.name, .home_address = node.home_address});
  const auto reqids = good(store_->reqids_of(named));
  mip6ha::NodeTable nodes;
  for (std::size_t i = 0; i < named.size(); ++i) {
    nodes[named[i].home_address] = {.name = named[i].name, .reqid = reqids[i]};
    reqids_[named[i].home_address] = reqids[i];
  }
  return nodes;
}

void AgentWorld::take_up_bindings() {
  const auto records = good(store_->records());
  for (const auto& action : home_agent_->restore(records, kUnixTime, now_)) performer_->perform(action);
  drain();
  std::vector<agent::BindingRecord> changed;
  for (const auto& record : records)
    if (const auto& restored = *home_agent_->find(record.home_address); restored != record) changed.push_back(restored);
  if (!changed.empty())
    if (const auto saved = store_->save(changed); !saved) throw std::runtime_error{saved.error().to_string()};
  performer_->forget_former_bindings();
}

bool AgentWorld::updates_arrive(std::uint64_t count) {
  const auto sent = kernel_.sent;
  const auto accepted = home_agent_->counters().accepted;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto nodes = config_.nodes.size();
    const auto round = moves_ / nodes;
    const auto& home = config_.nodes[moves_ * kStride % nodes].home_address;
    ++moves_;
    agent::UpdateReceived update{.unix_time = kUnixTime};
    update.home_address = home;
    update.home_address_option_source = numbered(kCareOf[round % 2], moves_);
    update.update.acknowledge = update.update.home_registration = update.update.key_mobility = true;
    update.update.lifetime = mip6::Lifetime{3600};
    const auto* record = home_agent_->find(home);
    update.update.sequence = record == nullptr ? mip6::SequenceNumber{1} : record->sequence.next();
    update.update.options = {mip6::AlternateCareOfAddress{*update.home_address_option_source}};
    queue_.push_back(std::move(update));
    drain();
  }
  // As the loop does when all that has arrived is handled.
  while (groups_ > 0) {
    --groups_;
    performer_->store_waiting();
    drain();
  }
  return kernel_.sent == sent + count && home_agent_->counters().accepted == accepted + count;
}

void AgentWorld::drain() {
  while (!queue_.empty()) {
    const auto event = std::move(queue_.front());
    queue_.pop_front();
    for (const auto& action : home_agent_->handle(event, now_)) performer_->perform(action);
  }
  look_for_deadlines();
}

// As the loop does after each event.
void AgentWorld::look_for_deadlines() {
  auto deadlines = std::pair{home_agent_->next_deadline(), keying_->next_deadline()};
  benchmark::DoNotOptimize(deadlines);
}

}  // namespace bench
