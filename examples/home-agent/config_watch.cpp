// Metrics, and what is borne of nodes that behave ill.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "examples/home-agent/config_reader.hpp"

namespace mip6ha {
namespace {

constexpr std::uint32_t kMostTolerance = 1'000'000;

// All of the text, from `least` to `most`.
std::optional<std::uint32_t> number(std::string_view text, std::uint32_t least, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

std::optional<MetricsEndpoint> endpoint(std::string_view text) {
  MetricsEndpoint found{.address = *Ipv6Address::parse("::1")};
  if (text.starts_with('[')) {
    const auto end = text.find("]:");
    if (end == std::string_view::npos) return std::nullopt;
    const auto address = Ipv6Address::parse(std::string{text.substr(1, end - 1)});
    if (!address || address->is_multicast()) return std::nullopt;
    found.address = *address;
    text.remove_prefix(end + 2);
  }
  const auto port = number(text, 1, UINT16_MAX);
  if (!port) return std::nullopt;
  found.port = static_cast<std::uint16_t>(*port);
  return found;
}

}  // namespace

void read_watch(Reader& reader, Config& config) {
  if (const auto* setting = reader.find("metrics")) {
    config.metrics = endpoint(setting->value);
    if (!config.metrics)
      reader.mistake(*setting, "is not an address and a port", "write metrics = [::1]:9637, or the port alone for ::1");
  }
  if (const auto* setting = reader.find("tolerate")) {
    config.behaviour.tolerance = number(setting->value, 1, kMostTolerance);
    if (!config.behaviour.tolerance && setting->value != "all")
      reader.mistake(*setting, "is not a number of offences",
                     fmt::format("write 1 to {}, or all if nobody is to be throttled or banned", kMostTolerance));
  }
  if (const auto* setting = reader.find("ban-for")) {
    constexpr auto kMost = std::chrono::duration_cast<std::chrono::seconds>(mip6::agent::kLongestBan).count();
    const auto seconds = number(setting->value, 1, static_cast<std::uint32_t>(kMost));
    if (seconds)
      config.behaviour.first_ban = std::chrono::seconds{*seconds};
    else
      reader.mistake(*setting, "is not a time", fmt::format("write seconds from 1 to {}, such as 600", kMost));
  }
}

}  // namespace mip6ha
