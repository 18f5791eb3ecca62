// How often a measured value lay below each of a few bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mip6ha {

class Histogram {
 public:
  // `bounds`: ascending; values above the last are only in count().
  explicit Histogram(std::span<const double> bounds) : bounds_{bounds.begin(), bounds.end()}, below_(bounds.size()) {}

  void observe(double value) {
    ++count_;
    sum_ += value;
    for (std::size_t i = 0; i < bounds_.size(); ++i)
      if (value <= bounds_[i]) ++below_[i];
  }
  const std::vector<double>& bounds() const { return bounds_; }
  const std::vector<std::uint64_t>& below() const { return below_; }  // or equal; for each bound, all lower ones too
  std::uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> below_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

}  // namespace mip6ha
