// IPv6 addresses and prefixes as values.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mip6 {

// An IPv6 address; bytes in network order.
struct Ipv6Address {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Ipv6Address&) const = default;

  // Text form of RFC 4291 section 2.2; empty if `text` is not an address.
  static std::optional<Ipv6Address> parse(std::string_view text);
  std::string to_string() const;  // RFC 5952 form

  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_link_local() const;      // fe80::/10
  bool is_unique_local() const;    // fc00::/7
  bool is_global_unicast() const;  // none of the above; ULAs are counted as global here
};

// A prefix; bits beyond `length` in `address` are kept but not compared by contains().
struct Ipv6Prefix {
  Ipv6Address address;
  std::uint8_t length = 0;  // bits, 0 to 128

  bool operator==(const Ipv6Prefix&) const = default;
  static std::optional<Ipv6Prefix> parse(std::string_view text);  // "2001:db8:1::/64"
  std::string to_string() const;
  bool contains(const Ipv6Address& other) const;
};

}  // namespace mip6

template <>
struct std::hash<mip6::Ipv6Address> {
  std::size_t operator()(const mip6::Ipv6Address& address) const noexcept;
};
