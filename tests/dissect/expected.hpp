// The fields that tshark should find in a packet, by its names.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "libmip6/wire/icmp_message.hpp"
#include "libmip6/wire/message.hpp"

namespace mip6::test {

class Expected {
 public:
  void add(const char* field, const std::string& value) { line_ += std::string{field} + '=' + value + '\t'; }
  void add(const char* field, std::uint64_t value) { add(field, std::to_string(value)); }
  void add(const char* field, bool value) { add(field, std::string{value ? "1" : "0"}); }
  void add(const char* field, const Ipv6Address& value) { add(field, value.to_string()); }
  void add(const char* field, std::span<const std::uint8_t> octets) { add(field, hexadecimal(octets)); }
  void add_number(const char* field, const std::array<std::uint8_t, 8>& octets) {
    add(field, "0x" + hexadecimal(octets));
  }
  const std::string& line() const { return line_; }

 private:
  static std::string hexadecimal(std::span<const std::uint8_t> octets);

  std::string line_;  // "field=value", each with a tab behind it
};

void expect(const Message& message, Expected& fields);
void expect(const IcmpMessage& message, Expected& fields);

}  // namespace mip6::test
