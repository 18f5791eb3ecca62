// See host.hpp.
#include "tests/simulation/host.hpp"

#include <utility>

namespace mip6::simulation {
namespace {

constexpr BootTime kBoot{100s};  // what a host's clock says when our process can start

constexpr int kMillion = 1'000'000;

Duration scaled(Duration duration, int times, int divided_by) {
  return Duration{static_cast<Duration::rep>(static_cast<__int128>(duration.count()) * times / divided_by)};
}

SaDatabase::Clocks clocks_of(const Host& host) {
  return {[&host] { return host.clock(); }, [&host] { return host.wall(); }};
}

}  // namespace

Host::Host(Surroundings around, Party party)
    : around_{around},
      party_{party},
      drift_{around.options.drift == 0 ? 0
                                       : static_cast<int>(around.world.chance.below(
                                             2 * static_cast<std::uint64_t>(around.options.drift) + 1)) -
                                             around.options.drift},
      booted_at_{around.world.now},
      states_{clocks_of(*this), around.options.anti_replay} {}

BootTime Host::clock() const {
  const Duration passed = around_.world.now - booted_at_;
  return kBoot + scaled(passed, kMillion + drift_, kMillion);
}

// Never early: a deadline that is handled before its time is asked for again.
Time Host::world_time(BootTime local) const {
  return booted_at_ + scaled(local - kBoot, kMillion, kMillion + drift_) + 1ns;
}

std::int64_t Host::wall() const {
  return 1'700'000'000 +
         std::chrono::duration_cast<std::chrono::seconds>(around_.world.now - Time{} + wall_offset_).count();
}

// --- charon ---

void Host::start_charon() {
  if (charon_) return;
  ++charon_life_;
  note("charon starts");
  World& world = around_.world;
  CharonModel::Surroundings needs;
  needs.later = [&world](Duration wait, std::function<void()> task) { world.later(wait, std::move(task)); };
  needs.send = [this](const IkePacket& packet) {
    if (!has_address(packet.source)) return;
    note(kind_of(packet).data(), brief(packet.source), brief(packet.destination));
    Packet sent;
    sent.kind = Packet::Kind::kIke;
    sent.source = packet.source;
    sent.destination = packet.destination;
    sent.ike = packet;
    sent.origin = {party_, 0};
    around_.network.send(std::move(sent));
  };
  needs.random = [&world](std::uint64_t bound) { return world.chance.below(bound); };
  needs.has_address = [this](const Ipv6Address& address) { return has_address(address); };
  needs.tell = [this](ike::CharonEvent event) {
    if (process_runs_) charon_told(std::move(event));
  };
  charon_ = std::make_unique<CharonModel>(std::move(needs), states_);
  if (process_runs_)
    later(1ms, [this, life = charon_life_] {
      if (life == charon_life_) charon_came();
    });
}

void Host::kill_charon() {
  if (!charon_) return;
  note("charon dies");
  charon_.reset();
  ++charon_life_;
  if (!process_runs_) return;
  for (const auto id : std::exchange(outstanding_, {}))
    answered({id, tl::unexpected(Error{.tried = "ask charon", .reason = "the connection was closed"})});
  charon_went();
}

void Host::ask_charon(const ike::Request& request) {
  if (!charon_) {
    later(1ms, [this, id = request.id] {
      answered({id, tl::unexpected(Error{.tried = "ask charon", .reason = "not connected"})});
    });
    return;
  }
  outstanding_.insert(request.id);
  charon_->request(request, [this, id = request.id, life = process_life_](tl::expected<ike::Response, Error> response) {
    if (life != process_life_) return;
    outstanding_.erase(id);
    answered({id, std::move(response)});
  });
}

// --- process and power ---

void Host::process_began() {
  ++process_life_;
  process_runs_ = true;
  outstanding_.clear();
  if (charon_)
    later(1ms, [this, life = charon_life_] {
      if (life == charon_life_) charon_came();
    });
}

void Host::process_ended() {
  ++process_life_;
  process_runs_ = false;
  outstanding_.clear();
  armed_ = Time::max();
}

void Host::power_off() {
  charon_.reset();
  ++charon_life_;
  states_.clear();
  booted_at_ = around_.world.now;
}

void Host::later(Duration wait, Agenda::Task task) {
  around_.world.later(wait, [this, life = process_life_, task = std::move(task)] {
    if (life == process_life_) task();
  });
}

// --- deadlines ---

void Host::arm() {
  const auto deadline = process_runs_ ? next_deadline() : std::nullopt;
  if (!deadline) {
    armed_ = Time::max();
    return;
  }
  const Time due = *deadline <= clock() ? around_.world.now : std::max(world_time(*deadline), around_.world.now);
  if (due == armed_) return;
  armed_ = due;
  around_.world.agenda.at(due, [this, life = process_life_, due] {
    if (life == process_life_ && due == armed_) ring(due);
  });
}

void Host::ring(Time due) {
  armed_ = Time::max();
  rang_in_vain_ = due > rang_ ? 0 : rang_in_vain_ + 1;
  rang_ = due;
  require(rang_in_vain_ < 100, Invariant::kDeadlinesEnd, "a core asks for the same moment again and again");
  deadline_reached();
  arm();
}

}  // namespace mip6::simulation
