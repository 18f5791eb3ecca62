// Binding Revocation Indication and Acknowledgement (RFC 5846 section 5).
#include "libmip6/wire/revocation.hpp"

#include "libmip6/wire/codec.hpp"
#include "libmip6/wire/options.hpp"

namespace mip6 {
namespace {

constexpr std::uint8_t kProxyBindingBit = 0x80;
constexpr std::uint8_t kIpv4BindingOnlyBit = 0x40;
constexpr std::uint8_t kGlobalBit = 0x20;

RevocationScope parse_scope(Reader& in) {
  const std::uint8_t flags = in.u8();
  in.skip(1);
  return {.proxy_binding = (flags & kProxyBindingBit) != 0,
          .ipv4_binding_only = (flags & kIpv4BindingOnlyBit) != 0,
          .global = (flags & kGlobalBit) != 0};
}

void write_scope(const RevocationScope& scope, Writer& out) {
  std::uint8_t flags = 0;
  if (scope.proxy_binding) flags |= kProxyBindingBit;
  if (scope.ipv4_binding_only) flags |= kIpv4BindingOnlyBit;
  if (scope.global) flags |= kGlobalBit;
  out.u8(flags);
  out.u8(0);
}

}  // namespace

Message parse_revocation(Reader& in) {
  const std::uint8_t type = in.u8();
  if (type == static_cast<std::uint8_t>(RevocationType::kIndication)) {
    BindingRevocationIndication indication;
    indication.trigger = in.u8();
    indication.sequence = in.u16();
    indication.scope = parse_scope(in);
    indication.options = parse_options(in);
    return indication;
  }
  if (type == static_cast<std::uint8_t>(RevocationType::kAcknowledgement)) {
    BindingRevocationAcknowledgement acknowledgement;
    acknowledgement.status = in.u8();
    acknowledgement.sequence = in.u16();
    acknowledgement.scope = parse_scope(in);
    acknowledgement.options = parse_options(in);
    return acknowledgement;
  }
  UnknownMessage unknown{static_cast<std::uint8_t>(MhType::kBindingRevocation), {type}};
  const auto rest = in.take(in.remaining());
  unknown.data.insert(unknown.data.end(), rest.begin(), rest.end());
  return unknown;
}

void write(const BindingRevocationIndication& indication, Writer& out) {
  out.u8(static_cast<std::uint8_t>(RevocationType::kIndication));
  out.u8(indication.trigger);
  out.u16(indication.sequence);
  write_scope(indication.scope, out);
  write_options(indication.options, out);
}

void write(const BindingRevocationAcknowledgement& acknowledgement, Writer& out) {
  out.u8(static_cast<std::uint8_t>(RevocationType::kAcknowledgement));
  out.u8(acknowledgement.status);
  out.u16(acknowledgement.sequence);
  write_scope(acknowledgement.scope, out);
  write_options(acknowledgement.options, out);
}

}  // namespace mip6
