// The two ends and their surroundings. See simulation.hpp.
#include "tests/simulation/simulation.hpp"

#include <cstdio>

namespace mip6::simulation {
namespace {

Ipv6Address address(const char* text) { return Ipv6Address::parse(text).value(); }

const Ipv6Address kHomeAddress = address("2001:db8:1::42");
const Ipv6Address kHomeAgent = address("2001:db8:1::1");
const Attachment kPlaces[] = {{2, address("2001:db8:a1::7"), address("fe80::a1"), false},
                              {3, address("2001:db8:a2::7"), address("fe80::a2"), false},
                              {4, address("2001:db8:a3::7"), address("fe80::a3"), false},
                              {5, kHomeAddress, address("fe80::1"), true}};
constexpr Duration kTroubledTime = 120s;
// The longest back-offs, one after the other: a refusal's (64 s), then silence (32 s), and some for the rest.
constexpr Duration kMostTimeToSettle = 130s;

node::Policy node_policy() { return {kHomeAddress, kHomeAgent, Lifetime{60}, false}; }

agent::Policy agent_policy() {
  agent::Policy policy;
  policy.address = kHomeAgent;
  policy.home_prefixes = {Ipv6Prefix::parse("2001:db8:1::/64").value()};
  policy.nodes = {agent::ServedNode{kHomeAddress, true}};
  return policy;
}

// Through the wire and back: what arrives is what the codec makes of it.
template <class T>
T through_the_wire(const T& message) {
  const auto parsed = parse_message(write_message(message));
  require(parsed.has_value() && std::holds_alternative<T>(*parsed), "what is written can be read");
  return std::get<T>(*parsed);
}

}  // namespace

Simulation::Simulation(std::uint64_t seed, bool trace)
    : random_{seed}, drawn_{Faults::draw(random_)}, faults_{drawn_}, trace_{trace} {
  durable_end_ = SequenceNumber{static_cast<std::uint16_t>(random_.below(65536))};
}

// --- the driver ---

Duration Simulation::run() {
  start_agent();
  start_node();
  const BootTime calm = now_ + kTroubledTime;
  while (now_ < calm) {
    run_until(std::min(calm, now_ + random_.time(faults_.pause)));
    happen();
  }
  trace("the faults stop");
  faults_ = Faults::none();
  if (!node_) start_node();
  if (!agent_) start_agent();
  if (!place_ || random_.chance(50)) attach(kPlaces[random_.below(4)], false);

  const BootTime give_up = now_ + kMostTimeToSettle;
  while (!settled() && now_ < give_up) run_until(now_ + 100ms);
  require(settled(), "once the faults have stopped the node is registered where it is");
  const Duration took = now_ - calm;

  run_until(now_ + 5s);
  give_node(node::StopAsked{});
  run_until(now_ + node::kStopTimeout);
  require(stopped_, "a stop ends within its time");
  const auto* record = agent_->find(kHomeAddress);
  require(!record || !record->care_of, "after a stop there is no binding");
  return took;
}

void Simulation::run_until(BootTime end) {
  int without_progress = 0;
  for (;;) {
    const BootTime node_due = node_ ? node_->next_deadline().value_or(BootTime::max()) : BootTime::max();
    const BootTime agent_due = agent_ ? agent_->next_deadline().value_or(BootTime::max()) : BootTime::max();
    const BootTime due = std::min({agenda_.next(), node_due, agent_due});
    if (due > end) break;
    without_progress = due > now_ ? 0 : without_progress + 1;
    require(without_progress < 1000, "a deadline that was handled is over");
    now_ = std::max(now_, due);
    if (agenda_.next() == due) {
      agenda_.run_first();
    } else if (node_due == due) {
      give_node(node::DeadlineReached{});
    } else {
      give_agent(agent::DeadlineReached{});
    }
  }
  now_ = end;
}

void Simulation::happen() {
  const auto what = random_.below(20);
  if (!node_ && random_.chance(50)) return start_node();
  if (!agent_ && random_.chance(50)) return start_agent();
  if (what == 0 && faults_.node_crashes) return crash_node();
  if (what == 1 && faults_.agent_crashes) return crash_agent();
  if (what == 2 && faults_.keys_vanish) return give_node(node::KeysUnusable{});
  if (what == 3) {
    trace("detached");
    place_.reset();
    return give_node(node::Detached{});
  }
  if (what == 4) return give_node(node::RefreshAsked{});
  if (what == 5) return give_node(node::BindingErrorReceived{{1, kHomeAddress, {}}});
  attach(kPlaces[random_.below(4)], random_.chance(50));
}

void Simulation::attach(const Attachment& attachment, bool soft) {
  trace(std::string{soft ? "soft" : "hard"} + " move to " + attachment.care_of.to_string());
  place_ = attachment;
  give_node(node::Attached{attachment, soft});
}

bool Simulation::settled() const {
  if (node_->registered_at() != place_) return false;
  const auto state = node_->state();
  const auto* record = agent_->find(kHomeAddress);
  if (place_->at_home) return state == node::State::kAtHome && (!record || !record->care_of);
  return state == node::State::kRegistered && record && record->care_of == place_->care_of;
}

// --- the node ---

void Simulation::start_node() {
  trace("node starts, numbers from " + std::to_string(durable_end_.value()));
  node_ = std::make_unique<node::HomeRegistration>(node_policy(), durable_end_);
  sent_times_.clear();
  if (place_) give_node(node::Attached{*place_, false});
}

// A write that is in flight may have reached the disk or not.
void Simulation::crash_node() {
  if (!node_) return;
  trace("node crashes");
  if (reservation_in_flight_ && random_.chance(50)) durable_end_ = *reservation_in_flight_;
  reservation_in_flight_.reset();
  node_.reset();
  ++node_life_;
}

void Simulation::give_node(const node::Event& event) {
  if (!node_) return;
  for (const auto& action : node_->handle(event, now_)) perform(action);
}

void Simulation::node_later(Duration wait, node::Event event) {
  agenda_.at(now_ + wait, [this, life = node_life_, event = std::move(event)] {
    if (life == node_life_) give_node(event);
  });
}

void Simulation::perform(const node::Action& action) {
  if (const auto* use = std::get_if<node::UseAttachment>(&action)) receives_at_ = use->attachment;
  if (const auto* send = std::get_if<node::SendUpdate>(&action)) send_update(send->update);
  if (const auto* reserve = std::get_if<node::ReserveSequence>(&action)) store_reservation(reserve->end);
  if (const auto* need = std::get_if<node::NeedKeys>(&action)) establish_keys(need->attachment);
  if (const auto* renew = std::get_if<node::RenewKeys>(&action)) establish_keys(renew->attachment);
  if (const auto* registered = std::get_if<node::Registered>(&action)) check_registered(*registered);
  if (const auto* trouble = std::get_if<node::Trouble>(&action)) trace("node: " + trouble->what);
  if (std::holds_alternative<node::Stopped>(action)) stopped_ = true;
}

void Simulation::send_update(const BindingUpdate& update) {
  const auto number = update.sequence.value();
  trace("update " + std::to_string(number) + " lifetime " + std::to_string(update.lifetime.count()));
  require(sent_order_.emplace(number, sent_order_.size()).second, "no sequence number is used twice");
  const auto left = durable_end_.distance_from(update.sequence);
  require(left >= 1 && left <= SequenceReservation::kBlockSize, "a number that is used is within the block on disk");
  sent_times_.push_back(now_);
  if (sent_times_.size() > node::kMaxUpdateRate + 1) sent_times_.pop_front();
  require(sent_times_.size() <= node::kMaxUpdateRate || now_ - sent_times_.front() >= 1s,
          "no more than MAX_UPDATE_RATE updates leave within a second");
  require(place_.has_value(), "a node that is nowhere sends nothing");
  const auto care_of = place_->at_home ? std::nullopt : std::optional{place_->care_of};
  transmit([this, update = through_the_wire(update), care_of] {
    give_agent(agent::UpdateReceived{update, kHomeAddress, care_of, unix_time()});
  });
}

void Simulation::store_reservation(SequenceNumber end) {
  reservation_in_flight_ = end;
  const bool fails = random_.chance(faults_.disk);
  agenda_.at(now_ + random_.time(20ms), [this, life = node_life_, end, fails] {
    if (life != node_life_) return;
    if (!fails) durable_end_ = end;
    if (reservation_in_flight_ == end) reservation_in_flight_.reset();
    fails ? give_node(node::SequenceReservationFailed{}) : give_node(node::SequenceReserved{end});
  });
}

void Simulation::establish_keys(const Attachment& attachment) {
  node_later(50ms + random_.time(200ms), node::KeysUsable{true, true, attachment.care_of});
}

void Simulation::check_registered(const node::Registered& registered) const {
  trace("registered at " + registered.attachment.care_of.to_string());
  if (registered.attachment.at_home) return;
  const auto found = durable_care_of_.find(registered.sequence.value());
  require(found != durable_care_of_.end() && found->second == registered.attachment.care_of,
          "where the node believes to be registered, the home agent's disk says so");
}

// --- the home agent ---

void Simulation::start_agent() {
  trace("home agent starts");
  agent_ = std::make_unique<agent::HomeAgent>(agent_policy());
  std::vector<agent::BindingRecord> records;
  for (const auto& [home_address, record] : durable_records_) records.push_back(record);
  for (const auto& action : agent_->restore(records, unix_time(), now_)) perform(action);
}

void Simulation::crash_agent() {
  if (!agent_) return;
  trace("home agent crashes");
  for (auto reached = random_.below(records_in_flight_.size() + 1); reached > 0; --reached) commit_oldest_record();
  records_in_flight_.clear();
  agent_.reset();
  ++agent_life_;
}

void Simulation::give_agent(const agent::Event& event) {
  if (!agent_) return;
  for (const auto& action : agent_->handle(event, now_)) perform(action);
}

void Simulation::agent_later(Duration wait, agent::Event event) {
  agenda_.at(now_ + wait, [this, life = agent_life_, event = std::move(event)] {
    if (life == agent_life_) give_agent(event);
  });
}

void Simulation::perform(const agent::Action& action) {
  if (const auto* store = std::get_if<agent::StoreRecord>(&action)) store_record(store->record);
  if (const auto* send = std::get_if<agent::SendAcknowledgement>(&action)) acknowledge(*send);
  if (const auto* report = std::get_if<agent::Report>(&action)) trace("agent: " + report->what);
  if (const auto* move = std::get_if<agent::MoveKeys>(&action))
    agent_later(1ms, agent::KeysMoved{move->home_address, !random_.chance(faults_.loss / 4)});
  if (const auto* dad = std::get_if<agent::StartDad>(&action)) {
    agenda_.at(now_ + 1s, [this, life = agent_life_, home_address = dad->home_address] {
      // A node that has its home address on the home link defends it.
      const bool defended = place_ && receives_at_ && receives_at_->at_home;
      if (life == agent_life_) give_agent(agent::DadFinished{home_address, defended});
    });
  }
}

void Simulation::store_record(const agent::BindingRecord& record) {
  const bool fails = random_.chance(faults_.disk);
  if (!fails) records_in_flight_.push_back(record);
  agenda_.at(now_ + 5ms, [this, life = agent_life_, home_address = record.home_address, fails] {
    if (life != agent_life_) return;
    if (!fails) commit_oldest_record();
    give_agent(agent::RecordStored{home_address, !fails});
  });
}

void Simulation::commit_oldest_record() {
  const auto& record = records_in_flight_.front();
  durable_records_[record.home_address] = record;
  // The end of a binding is stored under its last number: the first entry is what was acknowledged.
  durable_care_of_.try_emplace(record.sequence.value(), record.care_of);
  records_in_flight_.pop_front();
}

void Simulation::acknowledge(const agent::SendAcknowledgement& send) {
  const auto& acknowledgement = send.acknowledgement;
  if (is_accepted(acknowledgement.status)) {
    const auto number = acknowledgement.sequence.value();
    require(durable_care_of_.contains(number), "an acknowledgement leaves only after its record is durable");
    const auto order = sent_order_.at(number);
    require(!last_accepted_ || order > *last_accepted_, "no update is accepted after a newer one");
    last_accepted_ = order;
  }
  transmit([this, life = node_life_, received = through_the_wire(acknowledgement), care_of = send.care_of] {
    if (life != node_life_ || !place_ || !receives_at_) return;
    const bool arrives = care_of ? !receives_at_->at_home && receives_at_->care_of == *care_of : receives_at_->at_home;
    if (arrives) give_node(node::AcknowledgementReceived{received});
  });
}

// --- the network ---

void Simulation::transmit(std::function<void()> deliver) {
  if (random_.chance(faults_.duplicate)) agenda_.at(now_ + random_.time(faults_.delay), deliver);
  if (!random_.chance(faults_.loss)) agenda_.at(now_ + random_.time(faults_.delay), std::move(deliver));
}

void Simulation::trace(const std::string& what) const {
  if (trace_) std::printf("%10.3f %s\n", static_cast<double>((now_ - BootTime{}) / 1us) / 1e6, what.c_str());
}

}  // namespace mip6::simulation
