// Opening in the safe order, events into the cores, and the way out.
#include "examples/home-agent/agent.hpp"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "examples/home-agent/commands.hpp"
#include "libmip6/wire/message.hpp"
#include "mnd/linux/kernel.hpp"
#include "mnd/linux/log.hpp"
#include "mnd/linux/wall_clock.hpp"

namespace mip6ha {

using mip6::Error;
using mip6::Ipv6Address;
using mnd::kernel::Level;
using mnd::kernel::unix_now;
using Result = tl::expected<void, Error>;

namespace {

// All others have no behaviour here (return routability, Home Agent Switch, ...): they are answered like unknown ones.
bool is_about_bindings(const mip6::Message& message) {
  return std::holds_alternative<mip6::BindingUpdate>(message) ||
         std::holds_alternative<mip6::BindingAcknowledgement>(message) ||
         std::holds_alternative<mip6::BindingRefreshRequest>(message) ||
         std::holds_alternative<mip6::BindingError>(message);
}

}  // namespace

Agent::Agent(boost::asio::io_context& loop, Config config, std::filesystem::path config_file, OpenKernel open_kernel)
    : loop_{loop},
      config_{std::move(config)},
      config_file_{std::move(config_file)},
      open_kernel_{std::move(open_kernel)},
      behaviour_{config_.behaviour} {}

Result Agent::start() {
  auto opened = open();
  if (!opened && kernel_ != nullptr) {
    kernel_->stop_listening();
    for (const auto& error : kernel_->remove_all()) note(error);
  }
  return opened;
}

Result Agent::open() {
  for (const auto& problem : check_machine(config_.address, config_.interface))
    mnd::kernel::log(Level::kWarning, problem.to_string());
  auto store = Store::open(config_.state_directory);
  if (!store) return tl::unexpected(store.error());
  store_ = std::move(*store);
  index_nodes();
  if (auto read = read_bans(); !read) return read;
  others_.emplace(config_.state_directory);
  if (auto judged = judge_manual_keys(); !judged) return judged;
  const auto records = store_->records();
  if (!records) return tl::unexpected(records.error());
  for (const auto& record : *records) numbers_known_.insert(record.home_address);
  auto nodes = read_nodes();
  if (!nodes) return tl::unexpected(nodes.error());
  // A second mip6-ha ends here, before it touches the kernel.
  if (auto opened = open_control(); !opened) return opened;

  auto kernel = open_kernel_(loop_, config_.address, config_.interface);
  if (!kernel) return tl::unexpected(kernel.error());
  kernel_ = std::move(*kernel);
  make_performer(*nodes);
  make_cores();
  timer_ = std::make_unique<mnd::kernel::BootTimer>(loop_, [this] { deadline_reached(); });

  return kernel_->protect(*nodes)
      .and_then([&] { return kernel_->set_up_tunnel(); })
      .and_then([&] { return drop_keys_of_lost_numbers(); })
      .and_then([&] { return install_manual_keys(); })
      .and_then([&] { return take_up_bindings(*records); })
      .and_then([&] {
        return kernel_->listen([this](const auto& packet) { received(packet); },
                               [this](const auto& packet) { received_prefixes(packet); });
      })
      .and_then([&] {
        return kernel_->watch_home_link(
            [this](const Ipv6Address& address) { performer_->claimed(address, mnd::kernel::boot_now()); });
      })
      .map([&] {
        if (needs_charon()) connect_charon();
        open_metrics();
        if (config_.discovery) open_discovery();
        arm_timer();
        const auto count = config_.nodes.size();
        mnd::kernel::log(Level::kInfo, fmt::format("home agent {} serves {} node{} on {}", config_.address.to_string(),
                                                   count, count == 1 ? "" : "s", config_.interface));
      });
}

// Before the socket is open: under keys from before our start a captured update could be taken for a new one.
Result Agent::drop_keys_of_lost_numbers() {
  const auto used = kernel_->reqids_with_states();
  if (!used) return tl::unexpected(used.error());
  for (const auto& [home_address, reqid] : reqids_) {
    if (numbers_known_.contains(home_address) || !used->contains(reqid)) continue;
    if (auto deleted = kernel_->delete_states_except(home_address, reqid, {}); !deleted) return deleted;
  }
  return {};
}

Result Agent::open_control() {
  auto control = mnd::kernel::ControlServer::open(
      loop_, config_.control_socket, "mnd",
      [this](const auto& request, auto asker) { return answer_request(*this, request, asker); });
  if (!control) return tl::unexpected(control.error());
  control_ = std::move(*control);
  return {};
}

void Agent::make_performer(NodeTable nodes) {
  Performer::Outlets outlets;
  outlets.to_agent = [this](mip6::agent::Event event) { post(std::move(event)); };
  outlets.to_keying = [this](ike::AgentKeyingEvent event) { post(std::move(event)); };
  outlets.log = [](Level level, const std::string& text) { mnd::kernel::log(level, text); };
  outlets.failed = [this](const Error& error) { note(error); };
  outlets.disk = [this](bool stored) { disk_answered(stored); };
  outlets.event = [this](const Ipv6Address& home_address, const std::string& what) { tell(home_address, what); };
  // Behind what is ready on the loop by now: the socket's handler takes all messages that have arrived.
  outlets.records_wait = [this] { boost::asio::post(loop_, [this] { performer_->store_waiting(); }); };
  performer_ = std::make_unique<Performer>(*kernel_, *store_, std::move(nodes), std::move(outlets));
}

// What the disk remembers of nodes that are served is installed; what the kernel may still have of all others, a
// former process's nodes or bindings that ran out meanwhile, goes. The numbers of all are taken up: a node that is
// banned, or not configured at present, may come back while we run.
Result Agent::take_up_bindings(const std::vector<mip6::agent::BindingRecord>& records) {
  const auto known = store_->nodes();
  if (!known) return tl::unexpected(known.error());

  std::set<Ipv6Address> leftovers;
  const auto now = mnd::kernel::boot_now();
  const auto wall_clock = unix_now();
  for (const auto& node : *known) leftovers.insert(node.home_address);
  std::vector<mip6::agent::BindingRecord> served;
  for (const auto& record : records) {
    leftovers.insert(record.home_address);
    if (reqids_.contains(record.home_address)) served.push_back(record);
  }
  const auto withheld = doubtful(served);
  if (!withheld) return tl::unexpected(withheld.error());
  draining_ = true;  // events of these actions wait until all of them are performed
  for (const auto& action : home_agent_->restore(records, wall_clock, now, *withheld)) performer_->perform(action);
  draining_ = false;
  drain();
  std::vector<mip6::agent::BindingRecord> changed;  // what has expired, and what is told on the clocks of this boot now
  for (const auto& record : records)
    if (home_agent_->withholds(record.home_address))
      continue;  // the disk keeps it until it is known what becomes of it
    else if (const auto& restored = *home_agent_->find(record.home_address); restored != record)
      changed.push_back(restored);
  if (!changed.empty()) performer_->check(store_->save(changed));  // a refusal keeps nobody from being served
  for (const auto& home_address : leftovers)
    if (!performer_->bound().contains(home_address)) performer_->check(kernel_->unbind(home_address, false));
  performer_->forget_former_bindings();
  return {};
}

void Agent::connect_charon() {
  const auto handlers = [this](bool slow) {
    return ike::Session::Handlers{.connected = [this, slow] { session_connected(slow); },
                                  .disconnected = [this, slow](const Error& why) { session_lost(slow, why); },
                                  .event =
                                      [this](const std::string& name, const ike::Section& message) {
                                        post(ike::AgentKeyingEvent{ike::CharonEvent{name, message, unix_now()}});
                                      }};
  };
  const std::vector<std::string> events{"ike-updown", "child-updown", "ike-rekey", "child-rekey", "log"};
  fast_session_ = std::make_unique<ike::Session>(loop_, config_.vici_socket, events, handlers(false));
  slow_session_ =
      std::make_unique<ike::Session>(loop_, config_.vici_socket, std::vector<std::string>{}, handlers(true));
  fast_session_->start();
  slow_session_->start();
}

// The keying core sees one charon, there when both connections are.
void Agent::session_connected(bool slow) {
  (slow ? slow_connected_ : fast_connected_) = true;
  // A charon that was lost while stopping is asked nothing any more.
  if (!fast_connected_ || !slow_connected_ || stopping_) return;
  lost_because_.reset();
  clear_trouble();
  ask_charon();
  mnd::kernel::log(Level::kInfo, fmt::format("charon connected socket={}", config_.vici_socket.string()));
  post(ike::AgentKeyingEvent{ike::CharonConnected{}});
}

void Agent::session_lost(bool slow, const Error& why) {
  const bool was_connected = fast_connected_ && slow_connected_;
  bool& connected = slow ? slow_connected_ : fast_connected_;
  lost_while_stopping_ = lost_while_stopping_ || (stopping_ && connected);
  connected = false;
  // What is going may still be told by the other session's events.
  if (stopping_ && slow) return;
  // Both fail together, for one reason: it is told once.
  if (!was_connected && (slow || why == lost_because_)) return;
  lost_because_ = why;
  post(ike::AgentKeyingEvent{ike::CharonDisconnected{why}});
}

void Agent::post(Event event) {
  queue_.push_back(std::move(event));
  drain();
}

void Agent::drain() {
  if (draining_ || finished_) return;
  draining_ = true;
  while (!queue_.empty() && !finished_) {
    const Event event = std::move(queue_.front());
    queue_.pop_front();
    std::visit([this](const auto& one) { handle(one); }, event);
  }
  draining_ = false;
  arm_timer();
}

void Agent::handle(const mip6::agent::Event& event) {
  for (const auto& action : home_agent_->handle(event, mnd::kernel::boot_now())) {
    performer_->perform(action);
    note_binding(action);
    watch(action);
  }
}

void Agent::handle(const ike::AgentKeyingEvent& event) {
  for (const auto& action : keying_->handle(event, mnd::kernel::boot_now())) perform(action);
}

void Agent::received(const mnd::kernel::MobilityPacket& packet) {
  if (!reqids_.contains(packet.source)) watch_stranger();
  if (packet.too_long) return drop("longer than any message", packet.source);
  const auto message = mip6::parse_message(packet.message);
  if (!message) return drop(message.error().reason, packet.source);
  if (!is_about_bindings(*message)) return unrecognized(*message, packet);
  const auto* update = std::get_if<mip6::BindingUpdate>(&*message);
  if (update == nullptr) return drop("not a message for a home agent", packet.source);
  // Without a security association it is anybody's word, and an answer would leave in the clear (RFC 6275 section 5.1).
  if (!reqids_.contains(packet.source)) return drop("update of a home address that is not served", packet.source);
  if (!admits(*update, packet.source)) return;
  performer_->update_came(packet.source);
  post(mip6::agent::Event{mip6::agent::UpdateReceived{.update = *update,
                                                      .home_address = packet.source,
                                                      .home_address_option_source = packet.home_address_option,
                                                      .unix_time = unix_now()}});
}

void Agent::unrecognized(const mip6::Message& message, const mnd::kernel::MobilityPacket& packet) {
  drop("unknown type of message", packet.source);
  mip6::agent::MessageUnrecognized event{.type = mip6::mh_type(message), .source = packet.source};
  if (packet.home_address_option) {
    event.source = *packet.home_address_option;
    event.home_address_in_option = packet.source;
  }
  post(mip6::agent::Event{event});
}

void Agent::drop(std::string_view reason, const Ipv6Address& source) {
  if (const auto count = malformed_.count(reason, mnd::kernel::boot_now()))
    mnd::kernel::log(Level::kWarning,
                     fmt::format("message dropped from={} reason=\"{}\" count={}", source.to_string(), reason, *count));
}

void Agent::deadline_reached() {
  post(mip6::agent::Event{mip6::agent::DeadlineReached{}});
  post(ike::AgentKeyingEvent{ike::DeadlineReached{}});
  advertise(mip6::agent::DeadlineReached{});
  behave(mip6::agent::DeadlineReached{});
  if (list_ != nullptr) discover(mip6::agent::DeadlineReached{});
  look_at_strangers();
}

void Agent::arm_timer() {
  if (timer_ == nullptr) return;
  auto deadline = home_agent_->next_deadline();
  const auto listed = list_ != nullptr ? list_->next_deadline() : std::nullopt;
  for (const auto& other : {keying_->next_deadline(), advertiser_->next_deadline(), behaviour_.next_deadline(), listed,
                            strangers_.next_deadline()})
    if (!deadline || (other && *other < *deadline)) deadline = other;
  timer_->arm(deadline);
}

void Agent::stop() {
  if (stopping_) return;
  stopping_ = true;
  mnd::kernel::log(Level::kInfo, "stopping");
  stop_timer_ = std::make_unique<mnd::kernel::BootTimer>(loop_, [this] { finish(); });
  stop_timer_->arm(mnd::kernel::boot_now() + kStopLimit);
  // Deaf before the policies go: nothing in the clear is to be taken for an update meanwhile.
  kernel_->stop_listening();
  advertisements_.reset();
  requests_.reset();
  links_.reset();
  post(mip6::agent::Event{mip6::agent::StopAsked{}});
  post(ike::AgentKeyingEvent{ike::StopAsked{}});
}

void Agent::finish() {
  if (finished_) return;
  finished_ = true;
  const bool clean = stopped_cleanly_ && !lost_while_stopping_;
  if (!clean && needs_charon())
    mnd::kernel::log(Level::kWarning, "charon did not confirm in time that it dropped our connections");
  // States of a charon that died or hangs would go on working for an hour.
  if (!clean || !fast_connected_ || !slow_connected_) performer_->check(kernel_->delete_all_states());
  for (const auto& error : kernel_->remove_all()) note(error);
  control_.reset();
  metrics_.reset();
  mnd::kernel::log(Level::kInfo, "stopped");
  loop_.stop();
}

void Agent::note(const Error& error) {
  Error without_remedy = error;
  without_remedy.remedy.clear();
  trouble_ = TroubleView{.what = without_remedy.to_string(), .remedy = error.remedy};
  trouble_of_disk_ = false;
  tell("", trouble_->what, error.remedy);
  mnd::kernel::log(Level::kError, error.to_string());
}

// What note() was just told is of the disk, until that takes something.
void Agent::disk_answered(bool stored) {
  if (stored && trouble_of_disk_) trouble_.reset();
  trouble_of_disk_ = !stored;
}

void Agent::clear_trouble() {
  if (!trouble_of_disk_) trouble_.reset();
}

}  // namespace mip6ha
