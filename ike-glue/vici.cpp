// VICI messages and packets to bytes and back (strongSwan's vici/README.md, "Packet layer" and "Message format").
#include "ike-glue/vici.hpp"

#include <algorithm>

namespace ike {
namespace {

enum ElementType : std::uint8_t {
  kSectionStart = 1,
  kSectionEnd = 2,
  kKeyValue = 3,
  kListStart = 4,
  kListItem = 5,
  kListEnd = 6,
};

// The protocol has no limit of its own; a packet of section starts only would otherwise be 170,000 levels of recursion.
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxNameSize = 255;
constexpr std::size_t kMaxValueSize = 65535;

bool carries_name(PacketType type) {
  return type == PacketType::kCommandRequest || type == PacketType::kEventRegister ||
         type == PacketType::kEventUnregister || type == PacketType::kEvent;
}

bool carries_message(PacketType type) {
  return type == PacketType::kCommandRequest || type == PacketType::kCommandResponse || type == PacketType::kEvent;
}

// Appends; keeps its first failure and does nothing after it.
class Writer {
 public:
  void byte(std::uint8_t value) { bytes_.push_back(value); }

  void name(std::string_view text) {
    if (text.size() > kMaxNameSize) return fail("a name is longer than 255 bytes");
    byte(static_cast<std::uint8_t>(text.size()));
    append(text);
  }

  void value(std::string_view text) {
    if (text.size() > kMaxValueSize) return fail("a value is longer than 65,535 bytes");
    byte(static_cast<std::uint8_t>(text.size() >> 8));
    byte(static_cast<std::uint8_t>(text.size() & 0xff));
    append(text);
  }

  void section(const Section& section, std::size_t depth) {
    if (depth > kMaxDepth) return fail("sections are nested too deep");
    for (const auto& [key, content] : section.entries()) {
      if (failure_) return;
      entry(key, content, depth);
    }
  }

  tl::expected<std::vector<std::uint8_t>, ViciError> take() {
    if (!failure_ && bytes_.size() > kMaxPacketSize) fail("the packet is longer than 512 KiB");
    if (failure_) return tl::unexpected(*failure_);
    return std::move(bytes_);
  }

 private:
  void entry(const std::string& key, const Section::Value& content, std::size_t depth) {
    if (const auto* text = std::get_if<std::string>(&content)) {
      byte(kKeyValue);
      name(key);
      value(*text);
    } else if (const auto* list = std::get_if<Section::List>(&content)) {
      byte(kListStart);
      name(key);
      for (const auto& item : *list) {
        byte(kListItem);
        value(item);
      }
      byte(kListEnd);
    } else {
      byte(kSectionStart);
      name(key);
      section(std::get<Section>(content), depth + 1);
      byte(kSectionEnd);
    }
  }

  void append(std::string_view text) { bytes_.insert(bytes_.end(), text.begin(), text.end()); }
  void fail(std::string_view reason) {
    if (!failure_) failure_ = ViciError{bytes_.size(), reason};
  }

  std::vector<std::uint8_t> bytes_;
  std::optional<ViciError> failure_;
};

// Sticky: after its first failure it gives zeros and empty strings and keeps that failure.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  bool at_end() const { return failure_ || offset_ == bytes_.size(); }
  const std::optional<ViciError>& failure() const { return failure_; }

  std::uint8_t byte() {
    if (failure_ || offset_ == bytes_.size()) {
      fail("cut short");
      return 0;
    }
    return bytes_[offset_++];
  }

  std::string name() { return text(byte()); }

  std::string value() {
    const std::size_t high = byte();
    const std::size_t low = byte();
    return text(high << 8 | low);
  }

  Section message() {
    Section root = section(0);
    if (!failure_ && offset_ != bytes_.size()) fail("an end of a section that was not begun");
    return root;
  }

  void fail(std::string_view reason) {
    if (!failure_) failure_ = ViciError{offset_, reason};
  }

 private:
  std::string text(std::size_t size) {
    if (failure_ || bytes_.size() - offset_ < size) {
      fail("cut short");
      return {};
    }
    const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(offset_);
    offset_ += size;
    return {begin, begin + static_cast<std::ptrdiff_t>(size)};
  }

  // Reads up to the section's end, or for the root (depth 0) up to the end of the bytes.
  Section section(std::size_t depth) {
    Section result;
    if (depth > kMaxDepth) fail("sections are nested too deep");
    while (!failure_) {
      if (depth == 0 && at_end()) return result;
      switch (byte()) {
        case kSectionEnd:
          if (depth == 0) fail("an end of a section that was not begun");
          return result;
        case kKeyValue: {
          auto key = name();
          result.set(std::move(key), value());
          break;
        }
        case kListStart: {
          auto key = name();
          result.set(std::move(key), list());
          break;
        }
        case kSectionStart: {
          auto key = name();
          result.set(std::move(key), section(depth + 1));
          break;
        }
        default:
          fail("an element that does not belong here");
      }
    }
    return result;
  }

  Section::List list() {
    Section::List items;
    while (!failure_) {
      const auto element = byte();
      if (element == kListEnd) return items;
      if (element != kListItem) {
        fail("an element other than an item in a list");
        return items;
      }
      items.push_back(value());
    }
    return items;
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t offset_ = 0;
  std::optional<ViciError> failure_;
};

template <typename T>
const T* find(const std::vector<std::pair<std::string, Section::Value>>& entries, std::string_view key) {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
  return found == entries.end() ? nullptr : std::get_if<T>(&found->second);
}

}  // namespace

Section& Section::set(std::string key, std::string value) {
  entries_.emplace_back(std::move(key), std::move(value));
  return *this;
}

Section& Section::set(std::string key, List values) {
  entries_.emplace_back(std::move(key), std::move(values));
  return *this;
}

Section& Section::set(std::string key, Section section) {
  entries_.emplace_back(std::move(key), std::move(section));
  return *this;
}

const std::string* Section::text(std::string_view key) const { return find<std::string>(entries_, key); }
const Section::List* Section::list(std::string_view key) const { return find<List>(entries_, key); }
const Section* Section::section(std::string_view key) const { return find<Section>(entries_, key); }

std::string Section::text_or(std::string_view key, std::string_view otherwise) const {
  const auto* found = text(key);
  return found ? *found : std::string(otherwise);
}

bool Section::operator==(const Section& other) const { return entries_ == other.entries_; }

tl::expected<std::vector<std::uint8_t>, ViciError> encode(const Packet& packet) {
  Writer out;
  out.byte(static_cast<std::uint8_t>(packet.type));
  if (carries_name(packet.type)) out.name(packet.name);
  if (carries_message(packet.type)) out.section(packet.message, 0);
  return out.take();
}

tl::expected<Packet, ViciError> decode(std::span<const std::uint8_t> bytes) {
  if (bytes.size() > kMaxPacketSize) return tl::unexpected(ViciError{0, "the packet is longer than 512 KiB"});
  Reader in(bytes);
  const auto type = in.byte();
  if (type > static_cast<std::uint8_t>(PacketType::kEvent)) in.fail("no such packet type");
  Packet packet;
  packet.type = static_cast<PacketType>(in.failure() ? 0 : type);
  if (carries_name(packet.type)) packet.name = in.name();
  if (carries_message(packet.type)) packet.message = in.message();
  if (!in.at_end()) in.fail("bytes after the packet");
  if (in.failure()) return tl::unexpected(*in.failure());
  return packet;
}

}  // namespace ike
