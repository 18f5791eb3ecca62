// Values to text: a family of figures at a time.
#include "examples/home-agent/metrics.hpp"

#include <fmt/format.h>

#include <iterator>

namespace mip6ha {
namespace {

struct Label {
  std::string_view name;
  std::string_view value;
};
using Labels = std::initializer_list<Label>;

std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\n')
      text += "\\n";
    else if (c == '\\' || c == '"')
      (text += '\\') += c;
    else
      text += c;
  }
  return text;
}

class Writer {
 public:
  explicit Writer(MetricsForm form) : form_{form} {}

  void counter(std::string_view name, std::string_view help) {
    begin(name, open() ? "" : "_total", "counter", help);
    suffix_ = "_total";
  }
  void gauge(std::string_view name, std::string_view help) { begin(name, "", "gauge", help); }
  void info(std::string_view name, std::string_view help) {
    begin(name, open() ? "" : "_info", open() ? "info" : "gauge", help);
    suffix_ = "_info";
  }
  void sample(auto value, Labels labels = {}) { line(suffix_, labels, fmt::format("{}", value)); }
  void histogram(std::string_view name, std::string_view help, const Histogram& histogram) {
    begin(name, "", "histogram", help);
    for (std::size_t i = 0; i < histogram.bounds().size(); ++i)
      line("_bucket", {{"le", fmt::format("{}", histogram.bounds()[i])}}, fmt::format("{}", histogram.below()[i]));
    line("_bucket", {{"le", "+Inf"}}, fmt::format("{}", histogram.count()));
    line("_sum", {}, fmt::format("{}", histogram.sum()));
    line("_count", {}, fmt::format("{}", histogram.count()));
  }
  void by_reason(std::string_view name, std::string_view help, const auto& counts) {
    counter(name, help);
    for (const auto& [reason, count] : counts) sample(count, {{"reason", reason}});
  }
  std::string finish() {
    if (open()) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  bool open() const { return form_ == MetricsForm::kOpenMetrics; }
  void begin(std::string_view name, std::string_view ending, std::string_view type, std::string_view help) {
    name_ = fmt::format("mip6_ha_{}", name);
    suffix_ = "";
    fmt::format_to(std::back_inserter(text_), "# TYPE {}{} {}\n", name_, ending, type);
    if (open() && name_.ends_with("_seconds")) fmt::format_to(std::back_inserter(text_), "# UNIT {} seconds\n", name_);
    fmt::format_to(std::back_inserter(text_), "# HELP {}{} {}\n", name_, ending, help);
  }
  void line(std::string_view suffix, Labels labels, const std::string& value) {
    (text_ += name_) += suffix;
    char before = '{';
    for (const auto& label : labels) {
      fmt::format_to(std::back_inserter(text_), "{}{}=\"{}\"", before, label.name, escaped(label.value));
      before = ',';
    }
    if (labels.size() > 0) text_ += '}';
    ((text_ += ' ') += value) += '\n';
  }

  MetricsForm form_;
  std::string text_;
  std::string name_;
  std::string_view suffix_;
};

void write_state(Writer& out, const Metrics& metrics) {
  out.info("build", "The program.");
  out.sample(1, {{"release", MND_VERSION}});
  out.gauge("nodes", "Nodes of the configuration.");
  out.sample(metrics.nodes);
  out.gauge("bindings", "Home addresses that are bound to a care-of address.");
  out.sample(metrics.bindings);
  out.gauge("tunnel_ends",
            "Care-of addresses that tunnelled packets are taken from; after a move the former for a moment.");
  out.sample(metrics.tunnel_ends);
  out.gauge("nodes_with_keys", "Nodes with a pair of security associations.");
  out.sample(metrics.nodes_with_keys);
  out.gauge("charon_connected", "Whether charon answers.");
  out.sample(metrics.charon_connected ? 1 : 0);
}

void write_updates(Writer& out, const Metrics& metrics) {
  const auto& counters = metrics.counters;
  out.counter("updates_received", "Binding Updates of nodes that are served, throttled ones not among them.");
  out.sample(counters.updates);
  out.counter("updates_answered",
              "Binding Updates by the status of their acknowledgement; 0 stands for all that accept.");
  out.sample(counters.accepted, {{"status", "0"}, {"reason", "accepted"}});
  for (const auto& [status, count] : counters.refused)
    out.sample(count, {{"status", fmt::to_string(static_cast<unsigned>(status))}, {"reason", mip6::name_of(status)}});
  out.by_reason("updates_dropped", "Binding Updates without an answer.", counters.dropped_because);
  out.counter("key_mobility", "Accepted Binding Updates that asked for K, by the answer.");
  out.sample(counters.key_mobility_agreed, {{"answer", "agreed"}});
  out.sample(counters.key_mobility_refused, {{"answer", "refused"}});
  out.by_reason("messages_dropped", "Messages that were malformed, or not for a home agent.", metrics.malformed);
  out.by_reason(
      "keys_refused",
      "IKE negotiations that charon refused. Where all nodes that use IKE are banned, charon refuses before it "
      "hears a name: those are counted as that, whoever asked.",
      metrics.keys_refused);
  out.by_reason("ipsec_refused", "Packets that IPsec refused in this network namespace, by the kernel's names.",
                metrics.kernel.xfrm);
  out.by_reason("ip_refused", "Packets that IPv6 or UDP refused in this network namespace, by the kernel's names.",
                metrics.kernel.ip);
  out.counter("socket_dropped",
              "Mobility Header messages that the kernel dropped at the socket: refused by IPsec (those are among "
              "ipsec_refused too), with a wrong checksum, or without room.");
  out.sample(metrics.socket_dropped);
  out.counter("requests_refused", "Requests and clients that were turned away, by the place where they came.");
  for (const auto& [reason, count] : metrics.control_refused)
    out.sample(count, {{"at", "control socket"}, {"reason", reason}});
  for (const auto& [reason, count] : metrics.metrics_refused)
    out.sample(count, {{"at", "metrics"}, {"reason", reason}});
  if (metrics.kernel.tunnel_dropped) {
    out.counter("tunnel_packets_dropped", "Tunnelled packets from elsewhere than the bound care-of address.");
    out.sample(*metrics.kernel.tunnel_dropped);
  }
  out.counter("failures", "Calls that the kernel or the disk refused.");
  out.sample(metrics.kernel_failures);
}

void write_use(Writer& out, const Metrics& metrics) {
  out.histogram("store_seconds", "Time until a group of bindings was durable.", metrics.store_seconds);
  out.counter("records_stored", "Bindings and sequence numbers that were made durable.");
  out.sample(metrics.records_stored);
  out.histogram("sequence_advance", "From each accepted sequence number to the node's next.",
                metrics.sequence_advances);
  out.gauge("sequence_use_highest_ratio",
            "Largest share of 2^15 sequence numbers that a node has used under its keys, or since the start.");
  out.sample(metrics.sequence_use_highest);
}

void write_behaviour(Writer& out, const Metrics& metrics) {
  using mip6::agent::Offence;
  const auto each = [](const auto& record, auto&& write) {
    for (std::size_t i = 0; i < mip6::agent::kOffences; ++i)
      write(mip6::agent::name_of(static_cast<Offence>(i)), record.offences[i]);
  };
  out.counter("offences", "Ill behaviour of nodes, by kind.");
  each(metrics.behaviour, [&](auto kind, auto count) { out.sample(count, {{"kind", kind}}); });
  out.counter("bans", "Nodes refused service for a while, for ill behaviour.");
  out.sample(metrics.behaviour.bans);
  out.gauge("nodes_banned_for_a_while", "Nodes that are refused service at the moment, for ill behaviour.");
  out.sample(metrics.banned_for_a_while);
  out.counter("updates_dropped_in_ban", "Binding Updates of nodes that are refused service for a while.");
  out.sample(metrics.behaviour.dropped_while_banned);
  if (metrics.ill_behaving.empty()) return;
  out.counter("node_offences", "Ill behaviour of single nodes, the worst of them, by kind.");
  for (const auto& node : metrics.ill_behaving)
    each(node.record, [&](auto kind, auto count) {
      if (count > 0) out.sample(count, {{"node", node.name}, {"kind", kind}});
    });
  out.gauge("node_banned", "Whether the node is refused service at the moment, for ill behaviour.");
  for (const auto& node : metrics.ill_behaving) out.sample(node.record.banned_until ? 1 : 0, {{"node", node.name}});
}

}  // namespace

std::string_view content_type(MetricsForm form) {
  return form == MetricsForm::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                           : "text/plain; version=0.0.4; charset=utf-8";
}

MetricsForm form_for(std::string_view accept) {
  return accept.find("application/openmetrics-text") == std::string_view::npos ? MetricsForm::kText
                                                                               : MetricsForm::kOpenMetrics;
}

std::string metrics_text(const Metrics& metrics, MetricsForm form) {
  Writer out{form};
  write_state(out, metrics);
  write_updates(out, metrics);
  write_use(out, metrics);
  write_behaviour(out, metrics);
  return out.finish();
}

}  // namespace mip6ha
