// The VICI protocol of strongSwan's charon as values: messages, packets, their bytes. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <variant>
#include <vector>

namespace ike {

// A VICI section: ordered keys with strings, lists of strings or sections as values. Values are bytes (not only text).
class Section {
 public:
  using List = std::vector<std::string>;
  using Value = std::variant<std::string, List, Section>;

  Section& set(std::string key, std::string value);  // appends; keys are not checked for repetition
  Section& set(std::string key, List values);
  Section& set(std::string key, Section section);

  const std::string* text(std::string_view key) const;  // nullptr: absent or not a string
  const List* list(std::string_view key) const;
  const Section* section(std::string_view key) const;
  std::string text_or(std::string_view key, std::string_view otherwise) const;
  const std::vector<std::pair<std::string, Value>>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  bool operator==(const Section& other) const;

 private:
  std::vector<std::pair<std::string, Value>> entries_;
};

enum class PacketType : std::uint8_t {
  kCommandRequest = 0,
  kCommandResponse = 1,
  kCommandUnknown = 2,
  kEventRegister = 3,
  kEventUnregister = 4,
  kEventConfirm = 5,
  kEventUnknown = 6,
  kEvent = 7,
};

struct Packet {
  PacketType type = PacketType::kCommandRequest;
  std::string name;  // of the command or event, for the types that carry one
  Section message;
  bool operator==(const Packet&) const = default;
};

struct ViciError {
  std::size_t offset = 0;
  std::string_view reason;  // static text
};

inline constexpr std::size_t kMaxPacketSize = 512 * 1024;  // the protocol's own limit, without the length field

// Bytes of a packet without the 32 bit length in front; a name or message that the type does not carry is not written.
// Error: a key over 255 bytes, a value over 65,535, sections nested over 32 levels, too long.
tl::expected<std::vector<std::uint8_t>, ViciError> encode(const Packet& packet);
// The packet in `bytes`, which is all of them. What decodes can be encoded again.
tl::expected<Packet, ViciError> decode(std::span<const std::uint8_t> bytes);

}  // namespace ike
