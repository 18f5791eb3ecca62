// The one error value of the house: what was tried, on what, why it failed, and what to do about it.
#pragma once

#include <string>

namespace mip6 {

struct Error {
  std::string tried{};   // "install the ESP policy"
  std::string on{};      // "2001:db8:1::42 -> 2001:db8:1::1"
  std::string reason{};  // the system's or the peer's reason, in words; may be empty
  std::string remedy{};  // what the user can do; may be empty
  int os_error = 0;      // errno value, 0 if the system was not asked

  bool operator==(const Error&) const = default;
  std::string to_string() const;  // "cannot install ... on ...: reason (remedy)"
};

}  // namespace mip6
