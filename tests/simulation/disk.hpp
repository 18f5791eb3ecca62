// A disk that writes one state after the other and forgets what it was not done with when the power goes.
#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "tests/simulation/faults.hpp"
#include "tests/simulation/world.hpp"

namespace mip6::simulation {

// `Write` is what one call makes durable; `apply` puts it where the durable things are.
template <class Write>
class Disk {
 public:
  Disk(World& world, const Faults& faults, std::function<void(const Write&)> apply)
      : world_{world}, faults_{faults}, apply_{std::move(apply)} {}

  // Calls `done` when the write is durable, or with false when the disk refuses; never from within this call, and not
  // after a crash.
  void write(Write write, std::function<void(bool durable)> done) {
    const bool refused = world_.chance.percent(faults_.disk_refuses);
    if (!refused) waiting_.push_back(std::move(write));
    const auto slow = world_.chance.percent(faults_.disk_slow) ? 2s : 10ms;
    ready_ = std::max(ready_, world_.now + world_.chance.time(slow));
    world_.agenda.at(ready_, [this, life = life_, refused, done = std::move(done)] {
      if (life != life_) return;
      if (!refused) commit_oldest();
      done(!refused);
    });
  }
  // Of the writes under way some first ones have reached the disk, nobody knows how many; none is answered any more.
  void crash() {
    for (auto reached = world_.chance.below(waiting_.size() + 1); reached > 0; --reached) commit_oldest();
    waiting_.clear();
    ++life_;
  }

 private:
  void commit_oldest() {
    apply_(waiting_.front());
    waiting_.pop_front();
  }

  World& world_;
  const Faults& faults_;
  std::function<void(const Write&)> apply_;
  std::deque<Write> waiting_;
  Time ready_{};
  std::uint64_t life_ = 0;
};

}  // namespace mip6::simulation
