// What holds for messages of every kind: drawn from seeds, written, parsed, written again, cut short.
#include "tests/catch.hpp"
#include "tests/generated_messages.hpp"

using namespace mip6;
using mip6::test::Generator;

namespace {

constexpr std::uint32_t kSeeds = 60;
constexpr std::size_t kFixedIcmpSize = 8;

template <class Check>
void for_each_message(Check check) {
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    Generator generator{seed};
    for (std::size_t kind = 0; kind < std::variant_size_v<Message>; ++kind) {
      CAPTURE(seed, kind);
      check(generator.message(kind));
    }
  }
}

template <class Check>
void for_each_icmp_message(Check check) {
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    Generator generator{seed};
    for (std::size_t kind = 0; kind < std::variant_size_v<IcmpMessage>; ++kind) {
      CAPTURE(seed, kind);
      check(generator.icmp_message(kind));
    }
  }
}

// Exactly this long, so that a read beyond the end is found by the address sanitizer.
Bytes first(const Bytes& whole, std::size_t size) {
  return {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)};
}

}  // namespace

TEST_CASE("every message survives the wire, and is written back to the same bytes", "[wire][generated]") {
  Bytes buffer;
  for_each_message([&](const Message& message) {
    write_message(message, buffer);
    REQUIRE(buffer.size() % 8 == 0);
    const auto parsed = parse_message(buffer);
    REQUIRE(parsed);
    REQUIRE((*parsed == message));
    REQUIRE(write_message(*parsed) == buffer);
  });
}

TEST_CASE("every message cut short anywhere is refused, also if Header Len knows", "[wire][generated]") {
  for_each_message([](const Message& message) {
    const auto whole = write_message(message);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      auto part = first(whole, size);
      REQUIRE_FALSE(parse_message(part));
      if (size < 8 || size % 8 != 0) continue;
      // Only padding can be missing without being missed.
      part[1] = static_cast<std::uint8_t>(size / 8 - 1);
      const auto parsed = parse_message(part);
      if (parsed && *parsed == message) REQUIRE(whole[size] <= 1);
    }
  });
}

TEST_CASE("a message written into a buffer that is large enough leaves it where it is", "[wire][generated]") {
  Bytes buffer(kMaxMessageSize, 0xff);
  const auto* where = buffer.data();
  for_each_message([&](const Message& message) {
    write_message(message, buffer);
    REQUIRE(buffer.data() == where);
    REQUIRE(buffer == write_message(message));
  });
}

TEST_CASE("any octet of a message may be another one, and it parses to what is written back or not at all",
          "[wire][generated]") {
  for_each_message([](const Message& message) {
    const auto whole = write_message(message);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      auto changed = whole;
      changed[at] = static_cast<std::uint8_t>(changed[at] + 1 + at * 7);
      const auto parsed = parse_message(changed);
      if (!parsed) {
        REQUIRE(parsed.error().offset <= changed.size());
        continue;
      }
      const auto again = parse_message(write_message(*parsed));
      REQUIRE(again);
      REQUIRE((*again == *parsed));
    }
  });
}

TEST_CASE("every ICMPv6 message survives the wire, and is written back to the same bytes", "[wire][generated]") {
  for_each_icmp_message([](const IcmpMessage& message) {
    const auto whole = write_icmp_message(message);
    const auto parsed = parse_icmp_message(whole);
    REQUIRE(parsed);
    REQUIRE((*parsed == message));
    REQUIRE(write_icmp_message(*parsed) == whole);
  });
}

TEST_CASE("an ICMPv6 message cut short anywhere is refused, or is a message with less in its list",
          "[wire][generated]") {
  for_each_icmp_message([](const IcmpMessage& message) {
    const auto whole = write_icmp_message(message);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto parsed = parse_icmp_message(first(whole, size));
      if (size < kFixedIcmpSize || size % 8 != 0) REQUIRE_FALSE(parsed);
      if (parsed) REQUIRE((*parsed != message));
    }
  });
}

TEST_CASE("any octet of an ICMPv6 message may be another one, and it parses to what is written back or not at all",
          "[wire][generated]") {
  for_each_icmp_message([](const IcmpMessage& message) {
    const auto whole = write_icmp_message(message);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      auto changed = whole;
      changed[at] = static_cast<std::uint8_t>(changed[at] + 1 + at * 7);
      const auto parsed = parse_icmp_message(changed);
      if (!parsed) continue;
      const auto again = parse_icmp_message(write_icmp_message(*parsed));
      REQUIRE(again);
      REQUIRE((*again == *parsed));
    }
  });
}

TEST_CASE("both extension headers survive the wire, and every cut is refused", "[wire][generated]") {
  Generator generator{1};
  const DestinationOptions options{.next_header = 135, .home_address = generator.address()};
  const Type2RoutingHeader routing{.next_header = 50, .home_address = generator.address()};
  const auto written_options = write_destination_options(options);
  const auto written_routing = write_type2_routing_header(routing);
  REQUIRE(parse_destination_options(written_options) == options);
  REQUIRE(parse_type2_routing_header(written_routing) == routing);
  for (std::size_t size = 0; size < 24; ++size) {
    CHECK_FALSE(parse_destination_options(first(written_options, size)));
    CHECK_FALSE(parse_type2_routing_header(first(written_routing, size)));
  }
}
