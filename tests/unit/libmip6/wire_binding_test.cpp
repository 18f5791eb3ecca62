// Binding Update and Binding Acknowledgement (RFC 6275 sections 6.1.7 and 6.1.8).
#include <set>

#include "tests/catch.hpp"
#include "tests/unit/libmip6/wire_support.hpp"

using namespace mip6;
using namespace std::chrono_literals;
using mip6::test::address;
using mip6::test::bytes;
using mip6::test::round_trip;

TEST_CASE("a Binding Update from the wire gives its fields", "[wire]") {
  const auto parsed = parse_message(bytes("3b 01 05 00 0000 a0f8 d000 000f 0102 0000"));
  REQUIRE(parsed);
  const auto& update = std::get<BindingUpdate>(*parsed);
  CHECK(update.sequence == SequenceNumber{0xa0f8});
  CHECK(update.acknowledge);
  CHECK(update.home_registration);
  CHECK_FALSE(update.link_local);
  CHECK(update.key_mobility);
  CHECK(update.lifetime == Lifetime{60s});
  CHECK(update.options.empty());
}

TEST_CASE("a Binding Update without options ends with 4 octets of padding", "[wire]") {
  CHECK(write_message(BindingUpdate{.sequence = SequenceNumber{0xa0f8}, .link_local = true, .lifetime = 60s}) ==
        bytes("3b 01 05 00 0000 a0f8 2000 000f 0102 0000"));
}

TEST_CASE("each flag of a Binding Update stands for itself", "[wire]") {
  for (unsigned flags = 0; flags < 16; ++flags) {
    const BindingUpdate update{.sequence = SequenceNumber{1},
                               .acknowledge = (flags & 8U) != 0,
                               .home_registration = (flags & 4U) != 0,
                               .link_local = (flags & 2U) != 0,
                               .key_mobility = (flags & 1U) != 0};
    CHECK(write_message(update).at(8) == flags << 4U);
    CHECK(round_trip(update) == update);
  }
}

TEST_CASE("a home registration looks as RFC 6275 draws it", "[wire]") {
  const BindingUpdate update{.sequence = SequenceNumber{7},
                             .acknowledge = true,
                             .home_registration = true,
                             .key_mobility = true,
                             .lifetime = 420s,
                             .options = {AlternateCareOfAddress{address("2001:db8:a2::7")}}};
  CHECK(write_message(update) == bytes("3b 03 05 00 0000 0007 d000 0069 0100 0310 20010db800a200000000000000000007"));
  CHECK(round_trip(update) == update);
}

TEST_CASE("a Binding Acknowledgement from the wire gives its fields", "[wire]") {
  const auto parsed = parse_message(bytes("3b 01 06 00 0000 87 80 a0f8 0005 0102 0000"));
  REQUIRE(parsed);
  const auto& acknowledgement = std::get<BindingAcknowledgement>(*parsed);
  CHECK(acknowledgement.status == Status::kSequenceNumberOutOfWindow);
  CHECK(acknowledgement.key_mobility);
  CHECK(acknowledgement.sequence == SequenceNumber{0xa0f8});
  CHECK(acknowledgement.lifetime == Lifetime{20s});
}

TEST_CASE("each field of a Binding Acknowledgement survives the wire", "[wire]") {
  for (unsigned status = 0; status < 256; ++status) {
    const BindingAcknowledgement acknowledgement{.status = static_cast<Status>(status),
                                                 .key_mobility = status % 2 == 0,
                                                 .sequence = SequenceNumber{static_cast<std::uint16_t>(status * 257)},
                                                 .lifetime = Lifetime{status * 4},
                                                 .options = {BindingRefreshAdvice{40s}}};
    CHECK(round_trip(acknowledgement) == acknowledgement);
  }
}

TEST_CASE("lifetimes are told in units of four seconds, rounded down", "[wire]") {
  CHECK(round_trip(BindingUpdate{.lifetime = 7s}).lifetime == Lifetime{4s});
  CHECK(round_trip(BindingUpdate{.lifetime = 3s}).lifetime == Lifetime{0s});
  CHECK(round_trip(BindingUpdate{.lifetime = kMaxLifetime}).lifetime == kMaxLifetime);
}

TEST_CASE("a lifetime that the wire cannot hold is written as the nearest that it can", "[wire]") {
  CHECK(round_trip(BindingUpdate{.lifetime = kMaxLifetime + 4s}).lifetime == kMaxLifetime);
  CHECK(round_trip(BindingUpdate{.lifetime = -4s}).lifetime == Lifetime{0s});
}

TEST_CASE("each status has its own name, others are unknown", "[wire]") {
  std::set<std::string_view> names;
  for (unsigned status = 0; status < 256; ++status) names.insert(name_of(static_cast<Status>(status)));
  CHECK(names.size() == 20);
  CHECK(name_of(Status::kSequenceNumberOutOfWindow) == "sequence number out of window");
  CHECK(name_of(static_cast<Status>(200)) == "unknown status");
}

TEST_CASE("the options of a home registration have room in the message itself", "[wire]") {
  const BindingUpdate update{.home_registration = true,
                             .options = {AlternateCareOfAddress{address("2001:db8:a2::7")}, NonceIndices{1, 2}}};
  const auto parsed = parse_message(write_message(update));
  REQUIRE(parsed);
  const auto& again = std::get<BindingUpdate>(*parsed);
  const auto distance = reinterpret_cast<const char*>(again.options.data()) - reinterpret_cast<const char*>(&again);
  CHECK(distance >= 0);
  CHECK(distance < static_cast<std::ptrdiff_t>(sizeof again));
}
