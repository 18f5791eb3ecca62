// What charon told to be down while a list of its IKE_SAs was on its way. Events are handed out at once, what is listed
// only with the final answer: a list may name what has gone meanwhile.
#pragma once

#include <cstdint>
#include <set>

#include "ike-glue/charon.hpp"

namespace ike {

class Departed {
 public:
  void forget() {
    ike_sas_.clear();
    children_.clear();
  }
  void ike_sa(std::uint64_t uniqueid) { ike_sas_.insert(uniqueid); }
  void child(std::uint32_t spi_in) { children_.insert(spi_in); }

  bool has(const IkeSa& listed) const { return ike_sas_.contains(listed.uniqueid); }
  bool has_child(std::uint32_t spi_in) const { return children_.contains(spi_in); }
  // As it is by now: without the child that has gone.
  IkeSa by_now(IkeSa listed) const {
    listed.child_installed = listed.child_installed && !children_.contains(listed.spi_in);
    return listed;
  }

 private:
  std::set<std::uint64_t> ike_sas_;
  std::set<std::uint32_t> children_;
};

}  // namespace ike
