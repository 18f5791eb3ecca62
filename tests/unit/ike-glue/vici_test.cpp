// The VICI codec: the protocol document's own example, round trips, and every way to be cut short or wrong.
#include "ike-glue/vici.hpp"

#include "tests/catch.hpp"

using ike::decode;
using ike::encode;
using ike::Packet;
using ike::PacketType;
using ike::Section;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }

// The "Encoding example" of the VICI document.
Section example() {
  return Section{}
      .set("key1", "value1")
      .set("section1",
           Section{}.set("sub-section", Section{}.set("key2", "value2")).set("list1", Section::List{"item1", "item2"}));
}

Bytes example_bytes() {
  using namespace std::string_view_literals;
  return bytes(
      "\x03\x04key1\x00\x06value1"
      "\x01\x08section1"
      "\x01\x0bsub-section"
      "\x03\x04key2\x00\x06value2"
      "\x02"
      "\x04\x05list1"
      "\x05\x00\x05item1"
      "\x05\x00\x05item2"
      "\x06"
      "\x02"sv);
}

Bytes of_response(std::initializer_list<std::uint8_t> message) {
  Bytes packet{1};
  packet.insert(packet.end(), message);
  return packet;
}

}  // namespace

TEST_CASE("the document's example is encoded to the document's bytes", "[vici]") {
  const auto encoded = encode({PacketType::kCommandResponse, "", example()});
  REQUIRE(encoded);
  auto expected = example_bytes();
  expected.insert(expected.begin(), 1);
  CHECK(*encoded == expected);
}

TEST_CASE("a named packet carries type, length of the name, name and message", "[vici]") {
  const auto encoded = encode({PacketType::kCommandRequest, "stats", Section{}.set("a", "b")});
  REQUIRE(encoded);
  CHECK(*encoded == Bytes{0, 5, 's', 't', 'a', 't', 's', 3, 1, 'a', 0, 1, 'b'});
  CHECK(*encode({PacketType::kEventRegister, "log", {}}) == Bytes{3, 3, 'l', 'o', 'g'});
}

TEST_CASE("the document's bytes give the example's values", "[vici]") {
  auto in = example_bytes();
  in.insert(in.begin(), 1);
  const auto packet = decode(in);
  REQUIRE(packet);
  CHECK(packet->type == PacketType::kCommandResponse);
  CHECK(packet->message == example());
  CHECK(packet->message.text_or("key1", "") == "value1");
  const auto* section = packet->message.section("section1");
  REQUIRE(section != nullptr);
  REQUIRE(section->list("list1") != nullptr);
  CHECK(*section->list("list1") == Section::List{"item1", "item2"});
  CHECK(section->text("list1") == nullptr);
  CHECK(section->section("absent") == nullptr);
}

TEST_CASE("packets of all types come back equal", "[vici]") {
  const auto type = GENERATE(PacketType::kCommandRequest, PacketType::kCommandResponse, PacketType::kCommandUnknown,
                             PacketType::kEventRegister, PacketType::kEventUnregister, PacketType::kEventConfirm,
                             PacketType::kEventUnknown, PacketType::kEvent);
  const bool named = type == PacketType::kCommandRequest || type == PacketType::kEventRegister ||
                     type == PacketType::kEventUnregister || type == PacketType::kEvent;
  const bool with_message =
      type == PacketType::kCommandRequest || type == PacketType::kCommandResponse || type == PacketType::kEvent;
  const Packet packet{type, named ? "name" : "", with_message ? example() : Section{}};
  const auto encoded = encode(packet);
  REQUIRE(encoded);
  const auto back = decode(*encoded);
  REQUIRE(back);
  CHECK(*back == packet);
}

TEST_CASE("values are bytes: zeros, empty ones and the longest come back equal", "[vici]") {
  const Packet packet{PacketType::kEvent, "e",
                      Section{}
                          .set("zero", std::string("a\0b", 3))
                          .set("", "")
                          .set("long", std::string(65535, 'x'))
                          .set("empty list", Section::List{})
                          .set("empty section", Section{})};
  const auto encoded = encode(packet);
  REQUIRE(encoded);
  CHECK(decode(*encoded) == packet);
}

TEST_CASE("a packet cut short anywhere inside an element is an error", "[vici]") {
  auto in = example_bytes();
  in.insert(in.begin(), 1);
  // Cut between two elements of the root, what is left is a packet of its own.
  const std::size_t whole_after_first = 1 + 6 + 8;
  for (std::size_t size = 0; size < in.size(); ++size) {
    INFO("size " << size);
    const auto packet = decode(std::span(in).first(size));
    CHECK(packet.has_value() == (size == 1 || size == whole_after_first));
    if (!packet) CHECK(packet.error().offset <= size);
  }
}

TEST_CASE("a packet that breaks the format is an error that says where", "[vici]") {
  CHECK_FALSE(decode(Bytes{8}));                                      // no such type
  CHECK_FALSE(decode(Bytes{5, 0}));                                   // bytes after a packet that carries none
  CHECK_FALSE(decode(of_response({7})));                              // no such element
  CHECK_FALSE(decode(of_response({2})));                              // an end without a beginning
  CHECK_FALSE(decode(of_response({5, 0, 1, 'x'})));                   // an item outside a list
  CHECK_FALSE(decode(of_response({6})));                              // the end of no list
  CHECK_FALSE(decode(of_response({4, 1, 'l', 3, 1, 'k', 0, 0, 6})));  // a key in a list
  CHECK_FALSE(decode(of_response({4, 1, 'l', 4, 1, 'm', 6, 6})));     // a list in a list
  CHECK_FALSE(decode(of_response({1, 1, 's', 4, 1, 'l', 2, 6})));     // a section's end in a list
  const auto wrong = decode(of_response({3, 1, 'k', 0, 0, 9}));
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().offset == 7);
}

TEST_CASE("sections nested beyond reason are refused in both directions", "[vici]") {
  Bytes deep{1};
  for (int i = 0; i < 100'000; ++i) deep.insert(deep.end(), {1, 0});
  CHECK_FALSE(decode(deep));

  Section nested;
  for (int i = 0; i < 40; ++i) {
    auto outer = Section{}.set("s", std::move(nested));
    nested = std::move(outer);
  }
  CHECK_FALSE(encode({PacketType::kCommandResponse, "", nested}));
}

TEST_CASE("what the format cannot carry is not encoded", "[vici]") {
  CHECK_FALSE(encode({PacketType::kCommandRequest, std::string(256, 'n'), {}}));
  CHECK_FALSE(encode({PacketType::kCommandResponse, "", Section{}.set(std::string(256, 'k'), "")}));
  CHECK_FALSE(encode({PacketType::kCommandResponse, "", Section{}.set("k", std::string(65536, 'v'))}));
  CHECK_FALSE(encode({PacketType::kCommandResponse, "", Section{}.set("k", Section::List{std::string(65536, 'v')})}));
  Section large;
  for (int i = 0; i < 9; ++i) large.set("k", std::string(65000, 'v'));
  CHECK_FALSE(encode({PacketType::kCommandResponse, "", large}));
  CHECK_FALSE(decode(Bytes(ike::kMaxPacketSize + 1, 1)));
}
