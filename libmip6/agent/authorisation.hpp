// Who may be served: asked from outside, at each update, so that a ban or a new node counts at once.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "libmip6/address.hpp"

namespace mip6::agent {

enum class Standing : std::uint8_t {
  kServed,
  kNotServed,   // unknown here: updates are refused with status 133
  kProhibited,  // known, and refused service by name: status 129
};

// Answers for home addresses. That the sender of an update may speak for a home address has been shown before, by the
// security association that the home address unequivocally names (RFC 6275 section 10.3.1): the caller drops what came
// without it. Owned by the caller; must outlive the cores that ask it.
class Authorisation {
 public:
  virtual ~Authorisation() = default;
  virtual Standing standing_of(const Ipv6Address& home_address) const = 0;
  // Whether its security associations are made by key management (else by hand). Asked only of who is served.
  virtual bool has_dynamic_keys(const Ipv6Address& home_address) const = 0;
};

struct ServedNode {
  Ipv6Address home_address{};
  bool dynamic_keys = true;
};

// The simplest: a list, which may change at any time. HomeAgent is told the end of a service by ServiceEnded.
class ServedNodes final : public Authorisation {
 public:
  ServedNodes() = default;
  explicit ServedNodes(const std::vector<ServedNode>& nodes);

  void serve(const ServedNode& node);  // also ends a prohibition
  void prohibit(const Ipv6Address& home_address);
  void forget(const Ipv6Address& home_address);

  Standing standing_of(const Ipv6Address& home_address) const override;
  bool has_dynamic_keys(const Ipv6Address& home_address) const override;

 private:
  struct Node {
    Standing standing = Standing::kServed;
    bool dynamic_keys = true;
  };
  std::unordered_map<Ipv6Address, Node> nodes_;  // by home address
};

}  // namespace mip6::agent
