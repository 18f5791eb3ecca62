// The home agent's figures for a monitoring system, as values, and their text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "examples/home-agent/figures.hpp"
#include "examples/home-agent/histogram.hpp"
#include "examples/home-agent/sequence_use.hpp"
#include "libmip6/agent/behaviour.hpp"

namespace mip6ha {

// Of a hundred thousand nodes only those have series of their own that behave ill, the worst of them.
inline constexpr std::size_t kMaxNodeSeries = 1000;

// Seconds that a group of records took until it was durable: from one sync of a fast disk to a hanging one.
inline constexpr std::array<double, 12> kStoreSeconds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                      0.01,   0.025,   0.05,   0.1,   1,      10};

struct NodeMetrics {
  std::string name;
  mip6::agent::Behaviour::Record record;
};

struct Metrics : Figures {
  std::uint64_t nodes = 0;               // that are served
  std::uint64_t bindings = 0;            // in the kernel
  std::uint64_t tunnel_ends = 0;         // as Performer::tunnel_ends()
  std::uint64_t nodes_with_keys = 0;     // an SA pair is there
  std::uint64_t banned_for_a_while = 0;  // nodes
  Histogram store_seconds{kStoreSeconds};
  std::uint64_t records_stored = 0;
  Histogram sequence_advances = SequenceUse{}.advances();
  double sequence_use_highest = 0;
  mip6::agent::Behaviour::Record behaviour;  // of all nodes
  std::vector<NodeMetrics> ill_behaving;
};

// Two forms of the same, because what reads one need not read the other: promtool 2.42 (Debian 12) reads the older
// only.
enum class MetricsForm : std::uint8_t {
  kOpenMetrics,  // OpenMetrics 1.0: counters are named without their _total, `# EOF` ends the text
  kText,         // Prometheus text format 0.0.4
};
std::string_view content_type(MetricsForm form);
// By the Accept header of who asks: OpenMetrics if it is named there.
MetricsForm form_for(std::string_view accept);
std::string metrics_text(const Metrics& metrics, MetricsForm form);

}  // namespace mip6ha
