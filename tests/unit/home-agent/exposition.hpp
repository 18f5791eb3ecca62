// A strict reader of OpenMetrics 1.0 text (and, without its endings, of the Prometheus text format 0.0.4): what of a
// text breaks the specification. Only what the home agent may write is known: no timestamps, no exemplars.
#pragma once

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "examples/home-agent/metrics.hpp"

namespace mip6ha {

class Exposition {
 public:
  Exposition(const std::string& text, MetricsForm form) : open_{form == MetricsForm::kOpenMetrics} { read(text); }

  const std::vector<std::string>& mistakes() const { return mistakes_; }
  // "name{label="value"}" as written; empty: no such sample.
  std::optional<double> value(const std::string& sample) const {
    const auto found = values_.find(sample);
    return found == values_.end() ? std::nullopt : std::optional{found->second};
  }
  std::size_t samples() const { return values_.size(); }

 private:
  struct Family {
    std::string name;
    std::string type = "unknown";
    std::set<std::string> told;                          // TYPE, HELP, UNIT
    std::map<std::string, std::vector<double>> buckets;  // le
    std::map<std::string, std::vector<double>> counts;   // of the buckets; then _count
    std::map<std::string, double> all;
    bool sampled = false;
  };

  void mistake(const std::string& what, const std::string& line) { mistakes_.push_back(what + ": " + line); }

  void read(const std::string& text) {
    static const std::string end = "# EOF\n";
    if (text.empty() || text.back() != '\n') mistake("the last line has no end", "");
    if (open_ && !text.ends_with(end)) mistake("no # EOF at the end", "");
    for (std::size_t at = 0, next = 0; at < text.size(); at = next + 1) {
      next = std::min(text.find('\n', at), text.size());
      const auto line = text.substr(at, next - at);
      if (line == "# EOF") {
        if (!open_ || next + 1 != text.size()) mistake("# EOF where it does not belong", line);
      } else if (line.starts_with("# ")) {
        metadata(line);
      } else {
        sample(line);
      }
    }
    finish();
  }

  void metadata(const std::string& line) {
    static const std::regex form{"# (TYPE|HELP|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)"};
    std::smatch parts;
    if (!std::regex_match(line, parts, form)) return mistake("no metadata", line);
    if (!family_ || family_->name != parts[2]) {
      finish();
      family_ = Family{};
      family_->name = parts[2];
      if (!families_.insert(family_->name).second) mistake("a family in two places", line);
    }
    if (family_->sampled) mistake("metadata after samples", line);
    if (!family_->told.insert(parts[1]).second) mistake("told twice", line);
    const std::string value = parts[3];
    if (parts[1] == "TYPE") type(value, line);
    if (parts[1] == "UNIT" && (!open_ || !family_->name.ends_with("_" + value)))
      mistake("a unit not in the name", line);
    if (parts[1] == "HELP" && std::regex_search(value, std::regex{R"(\\([^\\n"]|$))"})) mistake("an escape", line);
  }

  void type(const std::string& value, const std::string& line) {
    static const std::set<std::string> known{"counter", "gauge", "histogram", "info"};
    if (!known.contains(value) || (!open_ && value == "info")) mistake("a type that is not written here", line);
    family_->type = value;
    // promtool's rule; in OpenMetrics the ending is of the sample alone.
    if (value == "counter" && open_ == family_->name.ends_with("_total")) mistake("_total of a counter's family", line);
  }

  void sample(const std::string& line) {
    static const std::regex form{R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? ([^ ]+))re"};
    std::smatch parts;
    if (!std::regex_match(line, parts, form)) return mistake("no sample", line);
    const std::string name = parts[1];
    if (!family_) return mistake("a sample without a family", line);
    family_->sampled = true;
    if (family_->told.count("TYPE") == 0 || family_->told.count("HELP") == 0) mistake("no TYPE or HELP before", line);
    if (!name.starts_with(family_->name)) return mistake("a sample of another family", line);
    const auto suffix = name.substr(family_->name.size());
    static const std::map<std::string, std::set<std::string>> suffixes{
        {"counter", {"_total"}}, {"gauge", {""}}, {"info", {"_info"}}, {"histogram", {"_bucket", "_sum", "_count"}}};
    const bool plain = !open_ && family_->type == "counter" && suffix.empty();
    const auto allowed = suffixes.find(family_->type);
    if (!plain && (allowed == suffixes.end() || !allowed->second.contains(suffix))) mistake("a suffix", line);
    const auto labels = read_labels(parts[3], line);
    const auto value = number(parts[4]);
    if (!value) return mistake("no number", line);
    if (family_->type != "gauge" && (std::isnan(*value) || *value < 0)) mistake("a count below zero", line);
    if (family_->type == "info" && *value != 1) mistake("an info that is not 1", line);
    if (!values_.emplace(line.substr(0, line.rfind(' ')), *value).second) mistake("a sample twice", line);
    if (family_->type == "histogram") histogram(suffix, labels, *value, line);
    if (suffix != "_bucket" && labels.contains("le")) mistake("le where there is no bucket", line);
  }

  std::map<std::string, std::string> read_labels(std::string text, const std::string& line) {
    static const std::regex one{R"re(([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\n"])*)"(,|$))re"};
    std::map<std::string, std::string> labels;
    std::smatch parts;
    while (!text.empty() && std::regex_search(text, parts, one, std::regex_constants::match_continuous)) {
      if (!labels.emplace(parts[1], parts[2]).second) mistake("a label twice", line);
      const bool more = parts[3] == ",";
      text = parts.suffix();
      if (more && text.empty()) mistake("a comma at the end", line);
    }
    if (!text.empty()) mistake("labels", line);
    return labels;
  }

  static std::optional<double> number(const std::string& text) {
    if (text == "+Inf") return std::numeric_limits<double>::infinity();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.find_first_of("iI") != std::string::npos)
      return std::nullopt;
    return value;
  }

  void histogram(const std::string& suffix, const std::map<std::string, std::string>& labels, double value,
                 const std::string& line) {
    std::string others;
    for (const auto& [name, content] : labels)
      if (name != "le") others += name + "=" + content + ";";
    if (suffix == "_count") family_->all[others] = value;
    if (suffix != "_bucket") return;
    const auto le = labels.contains("le") ? number(labels.at("le")) : std::nullopt;
    if (!le) return mistake("a bucket without its bound", line);
    auto& bounds = family_->buckets[others];
    auto& counts = family_->counts[others];
    if (!bounds.empty() && *le <= bounds.back()) mistake("bounds that do not ascend", line);
    if (!counts.empty() && value < counts.back()) mistake("a bucket with less than a lower one", line);
    bounds.push_back(*le);
    counts.push_back(value);
  }

  void finish() {
    if (!family_) return;
    for (const auto& [labels, bounds] : family_->buckets) {
      if (!std::isinf(bounds.back())) mistake("no bucket +Inf", family_->name);
      if (!family_->all.contains(labels) || family_->all.at(labels) != family_->counts.at(labels).back())
        mistake("_count is not the last bucket", family_->name);
    }
    if (family_->type == "histogram" && family_->buckets.empty()) mistake("a histogram without buckets", family_->name);
    family_.reset();
  }

  bool open_;
  std::optional<Family> family_;
  std::set<std::string> families_;
  std::map<std::string, double> values_;
  std::vector<std::string> mistakes_;
};

}  // namespace mip6ha
