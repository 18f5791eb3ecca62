#include "mnd/trace.hpp"

#include <utility>

#include "mnd/journal.hpp"

namespace mnd {

namespace {

std::int64_t microseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

nlohmann::json place(const Trace::Place& place) {
  if (place.interface.empty()) return nullptr;
  return {{"interface", place.interface}, {"address", place.address}};
}

}  // namespace

void Trace::heard(Time now) {
  heard_ = now;
  path_.reset();
}

void Trace::path_set(Time now) { path_ = now; }

void Trace::begin(Time now, Place from, Place to) {
  const auto wall =
      std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::system_clock::duration>(now - heard_);
  moves_.push_back({.heard_wall = wall, .heard = heard_, .from = std::move(from), .to = std::move(to), .steps = {}});
  if (moves_.size() > kKept) moves_.pop_front();
  open_ = true;
  step(heard_, "notification read");
  if (path_) step(*path_, "path to the home agent set");
  step(now, "attachment chosen");
}

void Trace::step(Time now, std::string_view what) {
  Move* const move = under_way();
  if (move && move->steps.size() < kSteps) move->steps.push_back({what, now});
}

void Trace::registered(Time now) {
  Move* const move = under_way();
  if (!move) return;
  if (!move->registered) move->registered = now;
  open_ = move->wants_keys;
}

void Trace::keys_wanted(Time now) {
  step(now, "new keys asked for");
  if (Move* const move = under_way()) move->wants_keys = true;
}

void Trace::keys_came(Time now) {
  Move* const move = under_way();
  if (!move) return;
  step(now, "new keys usable");
  move->wants_keys = false;
  if (move->registered) open_ = false;
}

nlohmann::json Trace::to_json() const {
  auto list = nlohmann::json::array();
  for (const auto& move : moves_) {
    auto steps = nlohmann::json::array();
    for (const auto& [what, at] : move.steps) steps.push_back({{"step", what}, {"us", microseconds(at - move.heard)}});
    const bool last = open_ && &move == &moves_.back();
    list.push_back(
        {{"time", utc(move.heard_wall)},
         {"monotonic_us", microseconds(move.heard.time_since_epoch())},
         {"from", place(move.from)},
         {"to", place(move.to)},
         {"result", move.registered ? "registered"
                    : last          ? "under way"
                                    : "overtaken"},
         {"registered_us", move.registered ? nlohmann::json(microseconds(*move.registered - move.heard)) : nullptr},
         {"steps", std::move(steps)}});
  }
  return list;
}

}  // namespace mnd
