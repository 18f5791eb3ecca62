// IPv6 addresses and prefixes: text forms and classes (RFC 4291, RFC 5952).
#include "libmip6/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstring>

namespace mip6 {

std::optional<Ipv6Address> Ipv6Address::parse(std::string_view text) {
  // inet_pton() reads up to a NUL: text behind one would go unnoticed.
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  char terminated[INET6_ADDRSTRLEN] = {};
  std::copy(text.begin(), text.end(), terminated);
  Ipv6Address address;
  if (inet_pton(AF_INET6, terminated, address.bytes.data()) != 1) return std::nullopt;
  return address;
}

std::string Ipv6Address::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  [[maybe_unused]] const char* written = inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  assert(written != nullptr);
  return text;
}

bool Ipv6Address::is_unspecified() const { return *this == Ipv6Address{}; }

bool Ipv6Address::is_loopback() const {
  Ipv6Address loopback;
  loopback.bytes[15] = 1;
  return *this == loopback;
}

bool Ipv6Address::is_multicast() const { return bytes[0] == 0xff; }

bool Ipv6Address::is_link_local() const { return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80; }

bool Ipv6Address::is_unique_local() const { return (bytes[0] & 0xfe) == 0xfc; }

bool Ipv6Address::is_global_unicast() const {
  return !is_unspecified() && !is_loopback() && !is_multicast() && !is_link_local();
}

std::optional<Ipv6Prefix> Ipv6Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = Ipv6Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size() || length > 128) return std::nullopt;
  return Ipv6Prefix{*address, static_cast<std::uint8_t>(length)};
}

std::string Ipv6Prefix::to_string() const { return address.to_string() + "/" + std::to_string(length); }

bool Ipv6Prefix::contains(const Ipv6Address& other) const {
  assert(length <= 128);
  const std::size_t whole = length / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  other.bytes.begin()))
    return false;
  const unsigned rest = length % 8U;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff00U >> rest);
  return (address.bytes[whole] & mask) == (other.bytes[whole] & mask);
}

}  // namespace mip6

std::size_t std::hash<mip6::Ipv6Address>::operator()(const mip6::Ipv6Address& address) const noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, address.bytes.data(), sizeof high);
  std::memcpy(&low, address.bytes.data() + sizeof high, sizeof low);
  // The finalizer of splitmix64: neighbouring addresses of one prefix must not share buckets.
  std::uint64_t mixed = high * 0x9e3779b97f4a7c15U + low;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  return static_cast<std::size_t>(mixed ^ (mixed >> 31U));
}
