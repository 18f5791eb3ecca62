// Numbers of the Mobility Header messages (RFC 6275 section 6.1.1, and the RFCs named).
#pragma once

#include <cstdint>

namespace mip6 {

enum class MhType : std::uint8_t {
  kBindingRefreshRequest = 0,
  kHomeTestInit = 1,
  kCareOfTestInit = 2,
  kHomeTest = 3,
  kCareOfTest = 4,
  kBindingUpdate = 5,
  kBindingAcknowledgement = 6,
  kBindingError = 7,
  kHomeAgentSwitch = 12,    // RFC 5142
  kHeartbeat = 13,          // RFC 5847
  kBindingRevocation = 16,  // RFC 5846
};

}  // namespace mip6
