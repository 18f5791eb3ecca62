#include "mnd/daemon.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>

#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/wall_clock.hpp"

namespace mnd {

using kernel::unix_now;
using mip6::BootTime;
using std::chrono::seconds;

namespace {

constexpr auto kControlGroup = "mnd";
constexpr mip6::Duration kMaxBringUpBackoff = seconds{32};
// Longest stop: kStopTimeout for the home agent, then charon's share; what is left after that is removed without them.
constexpr mip6::Duration kStopGuard = seconds{4};

// Asked once for each connection; a charon that is so slow has other troubles.
constexpr std::chrono::seconds kPluginsPatience{30};

// The last one as long as FollowLog does not say otherwise.
const std::vector<std::string> kCharonEvents{"ike-updown", "child-updown", "ike-rekey", "child-rekey", "log"};

std::optional<BootTime> earliest(std::initializer_list<std::optional<BootTime>> deadlines) {
  std::optional<BootTime> first;
  for (const auto& deadline : deadlines)
    if (deadline && (!first || *deadline < *first)) first = deadline;
  return first;
}

}  // namespace

Daemon::Daemon(boost::asio::io_context& loop, Config config, std::filesystem::path config_file, StartAgain start_again)
    : loop_{loop},
      config_{std::move(config)},
      config_file_{std::move(config_file)},
      start_again_{std::move(start_again)},
      store_{config_.state_directory, config_.home_address, first_of(config_.home_agents)},
      stored_agent_{store_.home_agent()},
      ends_{.home_address = config_.home_address, .home_agent = first_of(home_agents())},
      manual_store_{config_.state_directory, config_.home_address, first_of(config_.home_agents)},
      signals_{loop, {SIGTERM, SIGINT, SIGHUP}, [this](int signal) { caught(signal); }},
      timer_{loop, [this] { deadline(); }},
      resume_{loop, [this](mip6::Duration slept) { resumed(slept); }},
      optimistic_dad_{config_.state_directory / "interface-settings", kernel::boot_id()},
      wish_store_{config_.state_directory, kernel::boot_id()},
      wishes_{wish_store_.load()} {
  movement_ = movement_policy();
  enter_keying();
}

tl::expected<void, mip6::Error> Daemon::start() {
  auto control = kernel::ControlServer::open(
      loop_, config_.control_socket, kControlGroup,
      [this](const auto& request, auto asker) { return this->control(request, asker); }, config_.control_read);
  if (!control) return tl::unexpected(control.error());
  control_ = std::move(*control);
  journal_.on_new([this](const std::string& line) {
    if (control_->has_streams()) control_->publish(line);
  });
  boost::asio::post(loop_, [this] { bring_up(); });
  return {};
}

void Daemon::caught(int signal) {
  if (signal == SIGHUP) {
    reload();
    return;
  }
  // Also where it ends to start anew: that is not to be any more.
  start_again_when_stopped_ = false;
  stop("asked to stop");
}

// Brings up what is not up yet; after a failure the rest waits and everything is tried again with back-off.
void Daemon::bring_up() {
  if (stopping_) return;
  bring_up_again_.reset();
  if (const auto up = bring_up_kernel(); !up) {
    done("start", up);
    bring_up_again_ = kernel::boot_now() + bring_up_backoff_;
    bring_up_backoff_ = std::min(2 * bring_up_backoff_, kMaxBringUpBackoff);
    rearm();
    return;
  }
  troubles_.over("start");
  if (!node_ && wishes_.deregistered)
    go_quiet();
  else if (!node_)
    start_registration();
  if (!manual() && !fast_) start_keying();
  network_changed(monitor_->state());
}

// The order matters: no Mobility Header socket before the policies that keep clear-text messages away from it.
tl::expected<void, mip6::Error> Daemon::bring_up_kernel() {
  if (!xfrm_) {
    auto opened = kernel::Xfrm::open();
    if (!opened) return tl::unexpected(opened.error());
    xfrm_ = std::move(*opened);
  }
  if (!ends_.home_agent.is_unspecified())
    if (auto up = bring_up_payload(); !up) return up;
  if (!care_of_socket_) {
    auto opened = kernel::MobilitySocket::open(
        loop_, mip6::Ipv6Address{}, [this](const kernel::MobilityPacket& packet) { received_at_care_of(packet); });
    if (!opened) return tl::unexpected(opened.error());
    care_of_socket_ = std::move(*opened);
  }
  if (!icmp_errors_) {
    auto opened =
        kernel::IcmpErrorSocket::open(loop_, [this](const mip6::ParameterProblem& problem) { received(problem); });
    if (!opened) return tl::unexpected(opened.error());
    icmp_errors_ = std::move(*opened);
  }
  if (config_.discover && !discovery_socket_) {
    auto opened = kernel::Icmp6Socket::open(loop_, mip6::HomeAgentAddressDiscoveryReply::kType,
                                            [this](const kernel::Icmp6Packet& packet) { received_discovery(packet); });
    if (!opened) return tl::unexpected(opened.error());
    discovery_socket_ = std::move(*opened);
  }
  if (!rule_monitor_) {
    auto opened = kernel::RuleMonitor::open(loop_, [this] {
      if (tunnel_ && !stopping_) done("rules", tunnel_->keep_rules());
    });
    if (!opened) return tl::unexpected(opened.error());
    rule_monitor_ = std::move(*opened);
  }
  if (!monitor_) {
    auto monitor = std::make_unique<kernel::LinkMonitor>(
        loop_, [this](const kernel::NetworkState& network) { network_changed(network); });
    if (auto started = monitor->start(); !started) return started;
    monitor_ = std::move(monitor);
    if (tunnel_) monitor_->watch_own_routes(tunnel_->port());
  }
  return {};
}

// What is for one home agent.
tl::expected<void, mip6::Error> Daemon::bring_up_payload() {
  if (auto required = xfrm_->require_esp(kernel::Side::kNode, ends_, kernel::kNodeReqid); !required) return required;
  if (auto required = xfrm_->require_esp_of_prefixes(kernel::Side::kNode, ends_, kernel::kNodePrefixesReqid); !required)
    return required;
  if (auto keyed = set_up_manual_keys(); !keyed) return keyed;
  if (!config_.protect_payload) {
    if (auto removed = remove_payload_protection(); !removed) return removed;
  } else {
    if (!esp_tunnel_) {
      auto opened = kernel::EspTunnel::open();
      if (!opened) return tl::unexpected(opened.error());
      esp_tunnel_ = std::move(*opened);
    }
    // Before there is a home address that could take something.
    if (auto required = esp_tunnel_->require_of_node(ends_, kernel::kNodePayloadReqid); !required) return required;
  }
  if (!tunnel_) {
    auto opened =
        kernel::NodeTunnel::open(config_.home_address, ends_.home_agent, config_.protect_payload, config_.bypass);
    if (!opened) return tl::unexpected(opened.error());
    tunnel_ = std::move(*opened);
  }
  if (auto made = tunnel_->set_up(); !made) return made;
  if (monitor_) monitor_->watch_own_routes(tunnel_->port());
  if (!socket_) {
    auto opened = kernel::MobilitySocket::open(loop_, config_.home_address,
                                               [this](const kernel::MobilityPacket& packet) { received(packet); });
    if (!opened) return tl::unexpected(opened.error());
    socket_ = std::move(*opened);
  }
  if (!prefix_socket_) {
    auto opened = kernel::MobilitySocket::open_icmpv6(
        loop_, config_.home_address, mip6::MobilePrefixAdvertisement::kType,
        [this](const kernel::MobilityPacket& packet) { received_prefixes(packet); });
    if (!opened) return tl::unexpected(opened.error());
    prefix_socket_ = std::move(*opened);
  }
  return {};
}

void Daemon::start_registration() {
  bool known = had_manual_record_;
  if (manual()) {
    stored_numbers_ = manual_start_->record.numbers;
  } else {
    const auto stored = store_.load();
    if (!stored) done("disk", tl::unexpected(stored.error()));
    known = stored && *stored;
    if (known) stored_numbers_ = **stored;
  }
  mip6::node::MobileNodePolicy policy{.registration = {.home_address = config_.home_address,
                                                       .home_agent = {},
                                                       .lifetime = config_.lifetime,
                                                       .may_have_binding = known,
                                                       .first_timeout = config_.first_timeout},
                                      .home_prefix = config_.home_prefix,
                                      .home_agents = home_agents(),
                                      .discover = config_.discover,
                                      .keyed_home_addresses = {config_.home_address}};
  node_.emplace(std::move(policy), stored_numbers_.value_or(mip6::first_state(random_)), random_);
}

void Daemon::start_keying() {
  fast_ = std::make_unique<ike::Session>(
      loop_, config_.vici_socket, kCharonEvents,
      ike::Session::Handlers{.connected =
                                 [this] {
                                   fast_connected_ = true;
                                   charon_connected();
                                 },
                             .disconnected = [this](const mip6::Error& why) { charon_lost(why); },
                             .event =
                                 [this](const std::string& name, const ike::Section& message) {
                                   feed(ike::CharonEvent{name, message, unix_now()});
                                 }});
  slow_ = std::make_unique<ike::Session>(
      loop_, config_.vici_socket, std::vector<std::string>{},
      ike::Session::Handlers{.connected =
                                 [this] {
                                   slow_connected_ = true;
                                   charon_connected();
                                 },
                             .disconnected = [this](const mip6::Error&) { slow_connected_ = false; },
                             .event = [](const std::string&, const ike::Section&) {}});
  fast_->start();
  slow_->start();
}

// Told once for each connection of the fast session, which has the events; when the slow one alone comes and goes, its
// requests are answered with errors, and charon is what it was.
void Daemon::charon_connected() {
  if (!fast_connected_ || !slow_connected_ || charon_told_) return;
  charon_told_ = true;
  vici_forbidden_ = false;
  slow_->request("stats", {}, {}, kPluginsPatience, [this](const auto& answer) {
    const auto* plugins = answer ? answer->message.list("plugins") : nullptr;
    charon_plugins_ = plugins ? *plugins : std::vector<std::string>{};
  });
  slow_->request("version", {}, {}, kPluginsPatience, [this](const auto& answer) {
    const auto* version = answer ? answer->message.text("version") : nullptr;
    charon_version_ = version ? std::optional{*version} : std::nullopt;
  });
  troubles_.over("keys");
  feed(mip6::node::KeyManagementReachable{true});
  feed(ike::CharonConnected{});
}

void Daemon::charon_lost(const mip6::Error& why) {
  fast_connected_ = charon_told_ = false;
  vici_forbidden_ = why.os_error == EACCES || why.os_error == EPERM;
  charon_plugins_.clear();
  charon_version_.reset();
  feed(mip6::node::KeyManagementReachable{false});
  feed(ike::CharonDisconnected{why});
}

void Daemon::deadline() {
  const auto now = kernel::boot_now();
  if (stop_guard_ && now >= *stop_guard_) {
    journal_.add("trouble", "stopping without waiting any longer");
    clean_up();
    return;
  }
  resume_.look();
  if (bring_up_again_ && now >= *bring_up_again_) bring_up();
  if (repair_time_.at() && now >= *repair_time_.at()) repair();
  const auto links_due = earliest({link_health_.next_deadline(), solicitation_.next_deadline()});
  if (links_due && now >= *links_due) reconsider();
  if (node_) feed(mip6::node::DeadlineReached{});
  feed(KeyingEvent{ike::DeadlineReached{}});
}

void Daemon::rearm() {
  timer_.arm(earliest({node_ ? node_->next_deadline() : std::nullopt, keying_->next_deadline(), bring_up_again_,
                       repair_time_.at(), stop_guard_, stopping_ ? std::nullopt : link_health_.next_deadline(),
                       stopping_ ? std::nullopt : solicitation_.next_deadline()}));
}

void Daemon::stop(const std::string& why) {
  if (stopping_) return;
  stopping_ = true;
  journal_.add("stopping", why);
  stop_guard_ = kernel::boot_now() + kStopGuard;
  if (node_)
    feed(mip6::node::StopAsked{});
  else if (manual() || !fast_)
    clean_up();
  else
    feed(ike::StopAsked{});
}

// Nothing of ours stays in the kernel, whatever a former process or a charon that is gone left there.
void Daemon::clean_up() {
  socket_.reset();
  care_of_socket_.reset();
  icmp_errors_.reset();
  prefix_socket_.reset();
  discovery_socket_.reset();
  if (!tunnel_)
    if (auto opened = kernel::NodeTunnel::open(config_.home_address, ends_.home_agent)) tunnel_ = std::move(*opened);
  if (tunnel_) done("tunnel", tunnel_->remove_all());
  done("optimistic detection", optimistic_dad_.restore([this](std::uint32_t interface) -> std::optional<std::string> {
    if (!monitor_) return std::nullopt;
    const auto link = monitor_->state().links.find(interface);
    return link == monitor_->state().links.end() ? std::nullopt : std::optional{link->second.name};
  }));
  // After the home address has gone: nothing of it leaves in the clear meanwhile.
  done("payload protection", remove_payload_protection());
  if (xfrm_) {
    delete_esp_states_except(kernel::kNodeReqid, {});
    delete_esp_states_except(kernel::kNodePrefixesReqid, {});
    auto agents = home_agents();
    agents.push_back(ends_.home_agent);
    std::erase(agents, mip6::Ipv6Address{});
    for (const auto& agent : agents)
      done("xfrm", xfrm_->remove_all(kernel::kNodeReqid, kernel::kNodePrefixesReqid, agent));
  }
  if (start_again_when_stopped_) {
    control_.reset();
    kernel::log(kernel::Level::kError, start_again_().to_string());
    failed_ = true;
  }
  loop_.stop();
}

}  // namespace mnd
