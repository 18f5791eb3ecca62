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

constexpr OptionKind kRefreshAdvice{2, 2, {2, 0}, false, parse_refresh_advice};        // section 6.2.4
constexpr OptionKind kAlternateCareOf{3, 16, {8, 6}, false, parse_alternate_care_of};  // section 6.2.5
constexpr OptionKind kNonceIndices{4, 4, {2, 0}, false, parse_nonce_indices};          // section 6.2.6
constexpr OptionKind kAuthorization{5, 12, {8, 2}, false, parse_authorization};        // section 6.2.7
constexpr OptionKind kIdentifier{8, 1, {1, 0}, true, parse_identifier};                // RFC 4283 section 3
constexpr OptionKind kRestartCounter{28, 4, {4, 2}, false, parse_restart_counter};     // RFC 5847 section 3.4
constexpr std::array kKinds{&kRefreshAdvice, &kAlternateCareOf, &kNonceIndices,
                            &kAuthorization, &kIdentifier,      &kRestartCounter};

void write_head(const OptionKind& kind, std::size_t length, bool align, Writer& out) {
  assert(kind.variable ? length >= kind.length && length <= 255 : length == kind.length);
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
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [type](const auto* k) { return k->type == type; });
  if (kind == kKinds.end()) {
    const auto data = in.take(length);
    return UnknownOption{type, Bytes{data.begin(), data.end()}};
  }
  if ((*kind)->variable ? length < (*kind)->length : length != (*kind)->length)
    in.fail_at(length_offset, "an option has the wrong length for its type");
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
