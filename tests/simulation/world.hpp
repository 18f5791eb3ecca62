// What every part of a simulation shares: virtual time with its agenda, chance from a seed, and the journal of all that
// happens, whose hash tells two runs apart.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/time.hpp"

namespace mip6::simulation {

using namespace std::chrono_literals;

// The time that passes outside all hosts. Hosts have clocks of their own (host_clock.hpp).
using Time = BootTime;

// Numbers from a seed. Not from <random>: a seed must mean the same with every standard library.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_{seed} {}
  std::uint64_t draw() {  // splitmix64
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return draw() % bound; }  // 0 to bound - 1
  std::uint64_t between(std::uint64_t first, std::uint64_t last) { return first + below(last - first + 1); }
  bool percent(std::uint64_t chance) { return below(100) < chance; }
  bool one_in(std::uint64_t many) { return below(many) == 0; }
  // 1 ns to `longest`.
  Duration time(Duration longest) {
    return Duration{1 + static_cast<Duration::rep>(below(static_cast<std::uint64_t>(longest.count())))};
  }
  template <class List>
  auto& pick(List& list) {
    return list[below(list.size())];
  }

 private:
  std::uint64_t state_;
};

// What is to happen, by time; what is due at the same time in the order in which it was put here.
class Agenda {
 public:
  using Task = std::function<void()>;
  void at(Time time, Task task) {
    entries_.push_back({time, next_++, std::move(task)});
    std::push_heap(entries_.begin(), entries_.end(), later);
  }
  Time next() const { return entries_.empty() ? Time::max() : entries_.front().time; }
  void run_first() {
    std::pop_heap(entries_.begin(), entries_.end(), later);
    const Task task = std::move(entries_.back().task);
    entries_.pop_back();
    task();
  }

 private:
  struct Entry {
    Time time;
    std::uint64_t order;
    Task task;
  };
  static bool later(const Entry& a, const Entry& b) { return a.time != b.time ? a.time > b.time : a.order > b.order; }
  std::vector<Entry> entries_;
  std::uint64_t next_ = 0;
};

// Who does something, for the journal.
struct Party {
  enum class Kind : std::uint8_t { kWorld, kNode, kAgent, kAttacker };
  Kind kind = Kind::kWorld;
  std::uint8_t index = 0;
  std::string name() const;
};

// An address as a number for the journal: the digits that tell one from another in a simulation.
constexpr std::uint64_t brief(const Ipv6Address& address) {
  std::uint64_t digits = 0;
  for (const std::size_t at : {4U, 5U, 14U, 15U}) digits = digits << 8 | address.bytes[at];
  return digits;
}

// All events of a run: hashed, the last ones kept, and printed where that is wanted.
class Journal {
 public:
  static constexpr std::size_t kKept = 40;
  explicit Journal(bool print) : print_{print} {}
  // `what` is a literal with as many {} as there are numbers.
  void note(Time time, Party party, const char* what, std::uint64_t a, std::uint64_t b, std::uint64_t c);
  std::uint64_t hash() const { return hash_; }  // FNV-1a over all events
  std::uint64_t events() const { return count_; }
  std::vector<std::string> last() const;  // oldest first

 private:
  struct Line {
    Time time;
    Party party;
    const char* what = "";
    std::array<std::uint64_t, 3> numbers{};
  };
  static std::string text_of(const Line& line);
  void mix(std::uint64_t value);

  bool print_;
  std::array<Line, kKept> lines_{};
  std::uint64_t count_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

struct Totals {  // of a run, or of many
  std::uint64_t steps = 0;
  std::uint64_t moves = 0;
  std::uint64_t crashes = 0;
  std::uint64_t attacks = 0;
  std::uint64_t updates = 0;
  std::uint64_t initiations = 0;  // IKE connections that nodes have asked their charon for
  Duration longest_settling{};
  void add(const Totals& other) {
    steps += other.steps;
    moves += other.moves;
    crashes += other.crashes;
    attacks += other.attacks;
    updates += other.updates;
    initiations += other.initiations;
    longest_settling = std::max(longest_settling, other.longest_settling);
  }
};

struct World {
  World(std::uint64_t seed, bool print) : chance{seed}, journal{print} {}
  Chance chance;
  Agenda agenda;
  Time now{1000s};
  Journal journal;
  Totals totals;

  void note(Party party, const char* what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0) {
    journal.note(now, party, what, a, b, c);
  }
  void later(Duration wait, Agenda::Task task) { agenda.at(now + wait, std::move(task)); }
};

}  // namespace mip6::simulation
