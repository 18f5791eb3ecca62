#include "tests/simulation/sa_database.hpp"

#include <algorithm>

namespace mip6::simulation {
namespace {

constexpr std::uint64_t kWindow = 64;  // packets

// False if `sequence` was taken before, or is too old to tell (RFC 4303 section 3.4.3).
bool take(EspState& state, std::uint64_t sequence) {
  if (sequence > state.highest) {
    const auto ahead = sequence - state.highest;
    state.window = ahead < kWindow ? state.window << ahead : 0;
    state.highest = sequence;
  }
  const auto behind = state.highest - sequence;
  if (behind >= kWindow) return false;
  const auto bit = std::uint64_t{1} << behind;
  if ((state.window & bit) != 0) return false;
  state.window |= bit;
  return true;
}

}  // namespace

SaDatabase::SaDatabase(Clocks clocks, bool anti_replay) : clocks_(std::move(clocks)), anti_replay_(anti_replay) {}

void SaDatabase::add(EspState state) {
  expire();
  state.added_at = clocks_.wall();
  first_expiry_ = std::min(first_expiry_, state.expires_at);
  states_.push_back(state);
}

void SaDatabase::remove(Direction direction, std::uint32_t spi) {
  std::erase_if(states_, [&](const EspState& one) { return one.direction == direction && one.spi == spi; });
}

void SaDatabase::remove_of(std::uint32_t reqid) {
  std::erase_if(states_, [&](const EspState& one) { return one.reqid == reqid; });
}

std::size_t SaDatabase::remove_except(std::uint32_t reqid, const Ipv6Address& local, const Ipv6Address& remote,
                                      std::span<const std::uint32_t> kept) {
  return std::erase_if(states_, [&](const EspState& one) {
    return one.reqid == reqid && one.local == local && one.remote == remote &&
           std::find(kept.begin(), kept.end(), one.spi) == kept.end();
  });
}

void SaDatabase::clear() { states_.clear(); }

EspState* SaDatabase::outbound(std::uint32_t reqid, const Ipv6Address& local, const Ipv6Address& remote) {
  expire();
  EspState* newest = nullptr;
  for (auto& one : states_) {
    if (one.direction != Direction::kOut || one.reqid != reqid || one.local != local || one.remote != remote) continue;
    if (!newest || one.added_at >= newest->added_at) newest = &one;
  }
  return newest;
}

EspState* SaDatabase::find(Direction direction, std::uint32_t spi) {
  expire();
  const auto found = std::find_if(states_.begin(), states_.end(),
                                  [&](const EspState& one) { return one.direction == direction && one.spi == spi; });
  return found == states_.end() ? nullptr : &*found;
}

EspHeader SaDatabase::protect(EspState& state) {
  state.used_at = now();
  return {state.spi, state.key, ++state.sent};
}

EspState* SaDatabase::open(const EspHeader& header) {
  expire();
  const auto found = std::find_if(states_.begin(), states_.end(), [&](const EspState& one) {
    return one.direction == Direction::kIn && one.spi == header.spi;
  });
  if (found == states_.end() || found->key != header.key) return nullptr;
  if (anti_replay_ && !take(*found, header.sequence)) return nullptr;
  found->used_at = now();
  return &*found;
}

bool SaDatabase::has(Direction direction, std::uint32_t spi) const {
  return std::any_of(states_.begin(), states_.end(),
                     [&](const EspState& one) { return one.direction == direction && one.spi == spi; });
}

const std::vector<EspState>& SaDatabase::states() {
  expire();
  return states_;
}

std::size_t SaDatabase::count(std::uint32_t reqid, Direction direction) {
  expire();
  return static_cast<std::size_t>(std::count_if(states_.begin(), states_.end(), [&](const EspState& one) {
    return one.reqid == reqid && one.direction == direction;
  }));
}

BootTime SaDatabase::heard_at(std::uint32_t spi) const {
  const auto found = std::find_if(states_.begin(), states_.end(), [&](const EspState& one) {
    return one.direction == Direction::kIn && one.spi == spi;
  });
  return found == states_.end() ? BootTime{} : found->used_at;
}

void SaDatabase::expire() {
  const auto at = now();
  if (at < first_expiry_) return;
  std::erase_if(states_, [at](const EspState& one) { return one.expires_at <= at; });
  first_expiry_ = BootTime::max();
  for (const auto& one : states_) first_expiry_ = std::min(first_expiry_, one.expires_at);
}

}  // namespace mip6::simulation
