// The deadlines of many owners in one binary heap. A deadline that moves to a later time, as that of a binding does
// with every refresh, costs nothing until it comes to the top.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "libmip6/time.hpp"

namespace mip6::agent {

// A deadline as its owner holds it; BootTime::max(): none.
struct Deadline {
  BootTime due = BootTime::max();     // set by the owner, then told by update()
  BootTime queued = BootTime::max();  // of its valid element in the heap; no concern of the owner
};

// `kDeadline` is where an owner holds its deadline. Owners stay where they are, as the elements of std::unordered_map
// do.
template <class Owner, Deadline Owner::*kDeadline>
class Deadlines {
 public:
  // The owner's `due` has changed.
  void update(Owner& owner) {
    enqueue(owner);
    settle();
  }
  // For a change of many: enqueue() each, then settle().
  void enqueue(Owner& owner) {
    Deadline& deadline = owner.*kDeadline;
    if (deadline.due >= deadline.queued) return;
    deadline.queued = deadline.due;
    heap_.push_back({deadline.due, &owner});
    std::push_heap(heap_.begin(), heap_.end(), later);
    if (heap_.size() > limit_) compact();
  }
  // Brings the true earliest deadline to the top.
  void settle() {
    while (!heap_.empty()) {
      const Element top = heap_.front();
      Deadline& deadline = top.owner->*kDeadline;
      if (deadline.queued == top.at && deadline.due == top.at) return;
      pop();
      if (deadline.queued != top.at) continue;
      deadline.queued = BootTime::max();
      enqueue(*top.owner);
    }
  }
  std::optional<BootTime> next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().at;
  }
  // Takes out one whose deadline has come; nullptr: none. The owner is not queued until the next update().
  Owner* take_due(BootTime now) {
    if (heap_.empty() || heap_.front().at > now) return nullptr;
    Owner* owner = heap_.front().owner;
    pop();
    owner->*kDeadline = Deadline{};
    settle();
    return owner;
  }
  void clear() { heap_.clear(); }
  std::size_t size() const { return heap_.size(); }  // elements, stale ones included

 private:
  struct Element {
    BootTime at;
    Owner* owner;
  };
  static bool later(const Element& a, const Element& b) { return a.at > b.at; }

  void pop() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
  }
  // Stale elements are never more than valid ones, some apart: memory is bounded by the number of owners.
  void compact() {
    std::erase_if(heap_, [](const Element& element) {
      BootTime& queued = (element.owner->*kDeadline).queued;
      if (queued != element.at) return true;
      queued = BootTime::max();  // a second element of the same time is stale
      return false;
    });
    for (const auto& element : heap_) (element.owner->*kDeadline).queued = element.at;
    std::make_heap(heap_.begin(), heap_.end(), later);
    limit_ = std::max(kSmall, 2 * heap_.size());
  }

  static constexpr std::size_t kSmall = 64;
  std::vector<Element> heap_;
  std::size_t limit_ = kSmall;
};

}  // namespace mip6::agent
