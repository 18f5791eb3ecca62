// Binding Revocation Indication and Acknowledgement (RFC 5846 section 5) as values: one MH Type with a type of its own.
#pragma once

#include <cstdint>

#include "libmip6/wire/mh_type.hpp"
#include "libmip6/wire/mobility_option.hpp"

namespace mip6 {

enum class RevocationType : std::uint8_t {
  kIndication = 1,
  kAcknowledgement = 2,
};

// The bits that both messages have.
struct RevocationScope {
  bool proxy_binding = false;      // P
  bool ipv4_binding_only = false;  // V
  bool global = false;             // G
  bool operator==(const RevocationScope&) const = default;
};

// 5.1: the home agent (or the peer) ends bindings.
struct BindingRevocationIndication {
  static constexpr MhType kType = MhType::kBindingRevocation;
  std::uint8_t trigger = 0;    // Revocation Trigger
  std::uint16_t sequence = 0;  // matches answers to questions, nothing more; host byte order
  RevocationScope scope{};
  MobilityOptions options{};
  bool operator==(const BindingRevocationIndication&) const = default;
};

struct BindingRevocationAcknowledgement {  // 5.2
  static constexpr MhType kType = MhType::kBindingRevocation;
  std::uint8_t status = 0;     // below 128: done
  std::uint16_t sequence = 0;  // of the indication; host byte order
  RevocationScope scope{};
  MobilityOptions options{};
  bool operator==(const BindingRevocationAcknowledgement&) const = default;
};

}  // namespace mip6
