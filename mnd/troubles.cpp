#include "mnd/troubles.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace mnd {

bool Troubles::begin(const std::string& source, std::string what, std::string remedy, mip6::BootTime now, bool local) {
  const auto known = by_source_.find(source);
  if (known != by_source_.end() && known->second.current && known->second.what == what) return false;
  by_source_.insert_or_assign(source, TroubleReport{std::move(what), std::move(remedy), now, local});
  return true;
}

void Troubles::over(const std::string& source) {
  if (const auto known = by_source_.find(source); known != by_source_.end()) known->second.current = false;
}

bool Troubles::current(const std::string& source) const {
  const auto known = by_source_.find(source);
  return known != by_source_.end() && known->second.current;
}

const TroubleReport* Troubles::find(const std::string& source) const {
  const auto known = by_source_.find(source);
  return known == by_source_.end() ? nullptr : &known->second;
}

const TroubleReport* Troubles::shown() const {
  const auto rank = [](const TroubleReport& report) {
    return std::tuple{report.current, report.current && report.local, report.since};
  };
  const TroubleReport* best = nullptr;
  for (const auto& [source, report] : by_source_)
    if (!best || rank(report) > rank(*best)) best = &report;
  return best;
}

const TroubleReport* Troubles::shown_local(std::initializer_list<std::string_view> other_than) const {
  const TroubleReport* newest = nullptr;
  for (const auto& [source, report] : by_source_) {
    if (!report.current || !report.local || std::ranges::find(other_than, source) != other_than.end()) continue;
    if (!newest || report.since > newest->since) newest = &report;
  }
  return newest;
}

}  // namespace mnd
