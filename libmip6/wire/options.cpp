// Mobility options (RFC 6275 section 6.2): the one table of types, lengths and alignments, and the codec.
#include "libmip6/wire/options.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>

#include "libmip6/wire/message.hpp"

namespace mip6 {
namespace {

struct OptionKind {
  std::uint8_t type;
  std::uint8_t length;  // of the data; the least, where `variable`
  Alignment alignment;
  bool variable;
  MobilityOption (*parse)(Reader& in);
};

MobilityOption parse_refresh_advice(Reader& in) { return BindingRefreshAdvice{lifetime_of(in.u16())}; }
MobilityOption parse_alternate_care_of(Reader& in) { return AlternateCareOfAddress{in.address()}; }
MobilityOption parse_nonce_indices(Reader& in) {
  NonceIndices indices;
  indices.home = in.u16();
  indices.care_of = in.u16();
  return indices;
}
MobilityOption parse_authorization(Reader& in) { return BindingAuthorizationData{in.array<12>()}; }
MobilityOption parse_identifier(Reader& in) {
  const std::uint8_t subtype = in.u8();
  const auto identifier = in.take(in.remaining());
  return MobileNodeIdentifier{subtype, Bytes{identifier.begin(), identifier.end()}};
}
MobilityOption parse_restart_counter(Reader& in) { return RestartCounter{in.u32()}; }

constexpr std::uint8_t kHomeAndForeignBit = 0x80;  // of a Binding Identifier

MobilityOption parse_binding_identifier(Reader& in) {
  BindingIdentifier option;
  option.id = in.u16();
  option.status = in.u8();
  option.home_and_foreign = (in.u8() & kHomeAndForeignBit) != 0;
  const auto care_of = in.take(in.remaining());
  option.care_of.assign(care_of.begin(), care_of.end());
  return option;
}

// Of an IPv4 Home Address: 6 bits of prefix length, then P.
constexpr unsigned kPrefixLengthShift = 10;
constexpr std::uint16_t kPrefixWantedBit = 0x0200;

MobilityOption parse_ipv4_home_address(Reader& in) {
  const std::uint16_t front = in.u16();
  return Ipv4HomeAddress{static_cast<std::uint8_t>(front >> kPrefixLengthShift), (front & kPrefixWantedBit) != 0,
                         in.array<4>()};
}

constexpr OptionKind kRefreshAdvice{2, 2, {2, 0}, false, parse_refresh_advice};        // section 6.2.4
constexpr OptionKind kAlternateCareOf{3, 16, {8, 6}, false, parse_alternate_care_of};  // section 6.2.5
constexpr OptionKind kNonceIndices{4, 4, {2, 0}, false, parse_nonce_indices};          // section 6.2.6
constexpr OptionKind kAuthorization{5, 12, {8, 2}, false, parse_authorization};        // section 6.2.7
constexpr OptionKind kIdentifier{8, 1, {1, 0}, true, parse_identifier};                // RFC 4283 section 3
constexpr OptionKind kRestartCounter{28, 4, {4, 2}, false, parse_restart_counter};     // RFC 5847 section 3.4
constexpr OptionKind kIpv4HomeAddress{29, 6, {4, 0}, false, parse_ipv4_home_address};  // RFC 5555 section 3.1.1
// RFC 5648 section 4.3: without a care-of address, with one of IPv4, with one of IPv6.
constexpr OptionKind kBindingIdentifier{35, 4, {2, 0}, false, parse_binding_identifier};
constexpr OptionKind kBindingIdentifier4{35, 8, {8, 2}, false, parse_binding_identifier};
constexpr OptionKind kBindingIdentifier6{35, 20, {8, 2}, false, parse_binding_identifier};
constexpr std::array kOptionKinds{&kRefreshAdvice,      &kAlternateCareOf,   &kNonceIndices,    &kAuthorization,
                                  &kIdentifier,         &kRestartCounter,    &kIpv4HomeAddress, &kBindingIdentifier,
                                  &kBindingIdentifier4, &kBindingIdentifier6};

bool fits(const OptionKind& kind, std::size_t length) {
  return kind.variable ? length >= kind.length && length <= 255 : length == kind.length;
}

const OptionKind& kind_of(const BindingIdentifier& option) {
  return option.care_of.empty()       ? kBindingIdentifier
         : option.care_of.size() == 4 ? kBindingIdentifier4
                                      : kBindingIdentifier6;
}

void write_head(const OptionKind& kind, std::size_t length, bool align, Writer& out) {
  assert(fits(kind, length));
  if (align) out.pad_to(kind.alignment);
  out.u8(kind.type);
  out.u8(static_cast<std::uint8_t>(length));
}
void write_head(const OptionKind& kind, bool align, Writer& out) { write_head(kind, kind.length, align, out); }

struct OptionWriter {
  Writer& out;
  bool align;

  void operator()(const BindingRefreshAdvice& option) const {
    write_head(kRefreshAdvice, align, out);
    out.u16(lifetime_units(option.interval));
  }
  void operator()(const AlternateCareOfAddress& option) const {
    write_head(kAlternateCareOf, align, out);
    out.address(option.care_of);
  }
  void operator()(const NonceIndices& option) const {
    write_head(kNonceIndices, align, out);
    out.u16(option.home);
    out.u16(option.care_of);
  }
  void operator()(const BindingAuthorizationData& option) const {
    // Always aligned: it ends the message, and no padding may follow it.
    write_head(kAuthorization, true, out);
    out.append(option.authenticator);
  }
  void operator()(const MobileNodeIdentifier& option) const {
    write_head(kIdentifier, option.identifier.size() + 1, align, out);
    out.u8(option.subtype);
    out.append(option.identifier);
  }
  void operator()(const RestartCounter& option) const {
    write_head(kRestartCounter, align, out);
    out.u32(option.value);
  }
  void operator()(const BindingIdentifier& option) const {
    write_head(kind_of(option), option.care_of.size() + 4, align, out);
    out.u16(option.id);
    out.u8(option.status);
    out.u8(option.home_and_foreign ? kHomeAndForeignBit : 0);
    out.append(option.care_of);
  }
  void operator()(const Ipv4HomeAddress& option) const {
    assert(option.prefix_length < 64);
    write_head(kIpv4HomeAddress, align, out);
    out.u16(static_cast<std::uint16_t>(option.prefix_length << kPrefixLengthShift |
                                       (option.prefix_wanted ? kPrefixWantedBit : 0)));
    out.append(option.address);
  }
  void operator()(const UnknownOption& option) const {
    assert(option.type > kPadNType && option.data.size() <= 255);
    out.u8(option.type);
    out.u8(static_cast<std::uint8_t>(option.data.size()));
    out.append(option.data);
  }
};

// One option that is not Pad1, its type already read; empty for padding.
std::optional<MobilityOption> parse_option(std::uint8_t type, Reader& in) {
  const std::size_t length_offset = in.offset();
  const std::uint8_t length = in.u8();
  if (length > in.remaining()) in.fail_at(length_offset, "an option goes beyond the end of the message");
  if (type == kPadNType) {
    in.skip(length);
    return std::nullopt;
  }
  const auto of_type = [type](const auto* kind) { return kind->type == type; };
  if (std::none_of(kOptionKinds.begin(), kOptionKinds.end(), of_type)) {
    const auto data = in.take(length);
    return UnknownOption{type, Bytes{data.begin(), data.end()}};
  }
  const auto kind = std::find_if(kOptionKinds.begin(), kOptionKinds.end(),
                                 [&](const auto* k) { return of_type(k) && fits(*k, length); });
  if (kind == kOptionKinds.end()) {
    in.fail_at(length_offset, "an option has the wrong length for its type");
    return std::nullopt;
  }
  Reader data = in.sub_reader(length);
  return (*kind)->parse(data);
}

}  // namespace

std::uint16_t lifetime_units(Lifetime lifetime) {
  return static_cast<std::uint16_t>(std::clamp(lifetime, Lifetime{0}, kMaxLifetime).count() / 4);
}

Lifetime lifetime_of(std::uint16_t units) { return Lifetime{units * 4}; }

MobilityOptions parse_options(Reader& in) {
  MobilityOptions options;
  while (in.remaining() > 0) {
    const std::size_t start = in.offset();
    const std::uint8_t type = in.u8();
    // Section 6.2: the last option, without trailing padding.
    if (!options.empty() && std::holds_alternative<BindingAuthorizationData>(options.back()))
      in.fail_at(start, "something follows the Binding Authorization Data option");
    if (type == kPad1Type) continue;
    auto option = parse_option(type, in);
    if (option && in.ok()) options.push_back(*std::move(option));
  }
  return options;
}

void write_options(const MobilityOptions& options, Writer& out) {
  const std::size_t start = out.size();
  for (const bool align : {true, false}) {
    out.truncate(start);
    for (const auto& option : options) {
      assert(&option == &options.back() || !std::holds_alternative<BindingAuthorizationData>(option));
      std::visit(OptionWriter{out, align}, option);
    }
    out.pad_to({8, 0});
    if (out.size() <= kMaxMessageSize) return;
  }
  assert(out.size() <= kMaxMessageSize);
}

}  // namespace mip6
