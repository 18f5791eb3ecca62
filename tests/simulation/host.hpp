// What mobile nodes and home agents have in common as hosts: clocks that are not the world's, a kernel's ESP states, a
// charon beside our process, deadlines.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "ike-glue/keying.hpp"
#include "tests/simulation/charon_model.hpp"
#include "tests/simulation/faults.hpp"
#include "tests/simulation/invariants.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/sa_database.hpp"
#include "tests/simulation/world.hpp"

namespace mip6::simulation {

struct Surroundings {
  World& world;
  Network& network;
  const Faults& faults;
  const Options& options;
  std::uint64_t& last_order;  // of Origin
};

class Host {
 public:
  Host(Surroundings around, Party party);
  virtual ~Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  Party party() const { return party_; }
  BootTime clock() const;     // CLOCK_BOOTTIME: drifts, never jumps, begins anew when the host does
  std::int64_t wall() const;  // seconds since 1970: may jump
  void jump(Duration by) {
    wall_offset_ += by;
    jumped_ = true;
    note("has its wall clock set");
  }
  SaDatabase& states() { return states_; }
  CharonModel* charon() { return charon_.get(); }

  void start_charon();
  void kill_charon();  // SIGKILL: its states stay in the kernel

 protected:
  // --- of charon, for the keying core of our process ---
  void ask_charon(const ike::Request& request);
  virtual void answered(ike::Answered answer) = 0;
  virtual void charon_told(ike::CharonEvent event) = 0;
  virtual void charon_came() = 0;
  virtual void charon_went() = 0;
  virtual bool has_address(const Ipv6Address& address) const = 0;

  // --- deadlines ---
  virtual std::optional<BootTime> next_deadline() const = 0;
  virtual void deadline_reached() = 0;
  void arm();  // after each step

  // Our process starts or ends; what was asked before is answered to nobody.
  void process_began();
  void process_ended();
  std::uint64_t process_life() const { return process_life_; }
  bool process_runs() const { return process_runs_; }
  // Runs `task` unless the process has ended by then.
  void later(Duration wait, Agenda::Task task);
  // The wall clock has been set since this was asked last.
  bool wall_was_set() { return std::exchange(jumped_, false); }
  void power_off();  // states and charon are gone, the clock begins anew

  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0) {
    around_.world.note(party_, what, a, b, c);
  }
  Surroundings around_;

 private:
  Time world_time(BootTime local) const;
  void ring(Time due);

  Party party_;
  int drift_ = 0;  // ppm
  Time booted_at_;
  Duration wall_offset_{};
  bool jumped_ = false;
  SaDatabase states_;
  std::unique_ptr<CharonModel> charon_;
  std::uint64_t charon_life_ = 0;
  std::uint64_t process_life_ = 0;
  bool process_runs_ = false;
  std::set<std::uint64_t> outstanding_;  // requests to charon
  Time armed_ = Time::max();
  Time rang_{};
  int rang_in_vain_ = 0;
};

}  // namespace mip6::simulation
