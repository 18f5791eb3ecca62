// The text of the metrics: read by a strict reader, which is itself shown to find mistakes.
#include "examples/home-agent/metrics.hpp"

#include <cstdio>

#include "tests/catch.hpp"
#include "tests/unit/home-agent/exposition.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using mip6::SequenceNumber;
using mip6::Status;

Metrics filled() {
  Metrics metrics;
  metrics.nodes = 3;
  metrics.bindings = 2;
  metrics.counters.updates = 12;
  metrics.counters.accepted = 7;
  metrics.counters.refused = {{Status::kSequenceNumberOutOfWindow, 2}, {Status::kInvalidCareOfAddress, 1}};
  metrics.counters.dropped_because = {{"the care-of address is not unicast routable", 1}};
  metrics.counters.key_mobility_agreed = 5;
  metrics.malformed = {{"a reason with \"quotes\", a \\ and a\nnew line", 4}};
  metrics.keys_refused = {{"authentication failed", 1}};
  metrics.kernel = {.xfrm = {{"XfrmInStateMismatch", 9}}, .ip = {{"Ip6InUnknownProtos", 8}}, .tunnel_dropped = 6};
  metrics.socket_dropped = 10;
  metrics.control_refused = {{"the request is too long", 11}};
  metrics.metrics_refused = {{"it is not HTTP", 12}};
  for (const auto seconds : {0.00005, 0.002, 0.002, 30.0}) metrics.store_seconds.observe(seconds);
  metrics.behaviour.offences = {40, 3, 2, 1};
  metrics.behaviour.bans = 1;
  metrics.ill_behaving = {{.name = "laptop", .record = metrics.behaviour}};
  metrics.ill_behaving.front().record.banned_until = mip6::BootTime{};
  return metrics;
}

TEST_CASE("the metrics keep to both forms, full and empty", "[metrics]") {
  const auto form = GENERATE(MetricsForm::kOpenMetrics, MetricsForm::kText);
  const bool full = GENERATE(true, false);
  const auto text = metrics_text(full ? filled() : Metrics{}, form);
  CAPTURE(text);
  const Exposition read{text, form};
  CHECK(read.mistakes() == std::vector<std::string>{});
  CHECK(read.samples() > 30);
}

TEST_CASE("promtool accepts the metrics as text, full and empty", "[metrics]") {
  const auto text = metrics_text(GENERATE(true, false) ? filled() : Metrics{}, MetricsForm::kText);
  FILE* promtool = ::popen("promtool check metrics", "w");
  REQUIRE(promtool != nullptr);
  CHECK(std::fwrite(text.data(), 1, text.size(), promtool) == text.size());
  CHECK(::pclose(promtool) == 0);
}

TEST_CASE("the metrics have their values under their names", "[metrics]") {
  const auto form = GENERATE(MetricsForm::kOpenMetrics, MetricsForm::kText);
  const Exposition read{metrics_text(filled(), form), form};
  CHECK(read.value("mip6_ha_bindings") == 2);
  CHECK(read.value(R"(mip6_ha_updates_answered_total{status="0",reason="accepted"})") == 7);
  CHECK(read.value(R"(mip6_ha_updates_answered_total{status="135",reason="sequence number out of window"})") == 2);
  CHECK(read.value(R"(mip6_ha_updates_dropped_total{reason="the care-of address is not unicast routable"})") == 1);
  CHECK(read.value(R"(mip6_ha_key_mobility_total{answer="agreed"})") == 5);
  CHECK(read.value(R"(mip6_ha_messages_dropped_total{reason="a reason with \"quotes\", a \\ and a\nnew line"})") == 4);
  CHECK(read.value(R"(mip6_ha_ipsec_refused_total{reason="XfrmInStateMismatch"})") == 9);
  CHECK(read.value(R"(mip6_ha_ip_refused_total{reason="Ip6InUnknownProtos"})") == 8);
  CHECK(read.value("mip6_ha_socket_dropped_total") == 10);
  CHECK(read.value(R"(mip6_ha_requests_refused_total{at="control socket",reason="the request is too long"})") == 11);
  CHECK(read.value(R"(mip6_ha_requests_refused_total{at="metrics",reason="it is not HTTP"})") == 12);
  CHECK(read.value(R"(mip6_ha_store_seconds_bucket{le="0.0001"})") == 1);
  CHECK(read.value(R"(mip6_ha_store_seconds_bucket{le="0.0025"})") == 3);
  CHECK(read.value(R"(mip6_ha_store_seconds_bucket{le="10"})") == 3);
  CHECK(read.value("mip6_ha_store_seconds_count") == 4);
  CHECK(read.value(R"(mip6_ha_offences_total{kind="too many updates"})") == 40);
  CHECK(read.value(R"(mip6_ha_node_offences_total{node="laptop",kind="replay"})") == 3);
  CHECK(read.value(R"(mip6_ha_node_banned{node="laptop"})") == 1);
}

TEST_CASE("OpenMetrics is for who names it", "[metrics]") {
  // As Prometheus 2.42 asks.
  CHECK(form_for("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1") == MetricsForm::kOpenMetrics);
  for (const auto* other : {"", "*/*", "text/plain", "application/json"}) CHECK(form_for(other) == MetricsForm::kText);
}

TEST_CASE("the strict reader finds what is wrong", "[metrics]") {
  const std::string head = "# TYPE a counter\n# HELP a Some.\n";
  const std::string steps = "# TYPE h histogram\n# HELP h Some.\n";
  const auto mistakes = [](const std::string& text) {
    return Exposition{text, MetricsForm::kOpenMetrics}.mistakes().size();
  };
  CHECK(mistakes(head + "a_total{b=\"c\"} 1\n# EOF\n") == 0);
  CHECK(mistakes(steps + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n# EOF\n") == 0);
  const auto bad = GENERATE_COPY(
      head + "a_total 1\n", head + "a_total 1\n# EOF\n\n", head + "a_total 1\n\n# EOF\n", head + "a 1\n# EOF\n",
      head + "a_total -1\n# EOF\n", head + "a_total NaN\n# EOF\n", head + "a_total  1\n# EOF\n",
      head + "a_total 1\na_total 2\n# EOF\n", head + "a_total{b=\"\\x\"} 1\n# EOF\n",
      head + "a_total{b=\"c} 1\n# EOF\n", head + "a_total{b=\"c\",} 1\n# EOF\n",
      head + "a_total{b=\"c\",b=\"d\"} 1\n# EOF\n", head + "a_total{1=\"c\"} 1\n# EOF\n",
      head + "# TYPE a counter\na_total 1\n# EOF\n", head + "a_total 1\n# UNIT a seconds\n# EOF\n",
      head + "a_total 1\n# TYPE b gauge\n# HELP b B.\nb 1\n" + head + "# EOF\n", std::string{"a_total 1\n# EOF\n"},
      std::string{"# TYPE a counter\na_total 1\n# EOF\n"},
      std::string{"# TYPE a_total counter\n# HELP a_total A.\na_total 1\n# EOF\n"},
      std::string{"# TYPE a thing\n# HELP a A.\na 1\n# EOF\n"},
      std::string{"# TYPE a info\n# HELP a A.\na_info 2\n# EOF\n"},
      steps + "h_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n# EOF\n",
      steps + "h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n# EOF\n",
      steps + "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 3\nh_count 1\n# EOF\n",
      steps + "h_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 3\n# EOF\n", steps + "h_sum 3\nh_count 1\n# EOF\n");
  CAPTURE(bad);
  CHECK(mistakes(bad) > 0);
}

TEST_CASE("the use of sequence numbers is told by node and by step", "[metrics]") {
  const auto node = *Ipv6Address::parse("2001:db8:1::42");
  const auto other = *Ipv6Address::parse("2001:db8:1::43");
  SequenceUse use;
  use.accepted(node, SequenceNumber{65'535});
  use.accepted(node, SequenceNumber{0});
  use.accepted(node, SequenceNumber{8190});
  use.accepted(other, SequenceNumber{7});
  CHECK(use.advances().count() == 2);
  CHECK(use.advances().below().front() == 1);
  CHECK(use.highest() == 0.25);
  use.keys_are_fresh(node);
  CHECK(use.highest() > 0);  // the other's
  CHECK(use.highest() < 0.001);
  for (int i = 0; i < 4; ++i) use.accepted(node, SequenceNumber{static_cast<std::uint16_t>(8190 + 20'000 * (i + 1))});
  CHECK(use.highest() == 1);
  use.forget(node);
  CHECK(use.highest() < 0.001);
}

}  // namespace
}  // namespace mip6ha
