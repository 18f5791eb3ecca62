// The error value as one line of text.
#include "libmip6/error.hpp"

#include <system_error>

namespace mip6 {

std::string Error::to_string() const {
  std::string text = "cannot " + tried;
  if (!on.empty()) text += " on " + on;
  std::string why = reason;
  if (os_error != 0) {
    if (!why.empty()) why += ": ";
    why += std::generic_category().message(os_error);
  }
  if (!why.empty()) text += ": " + why;
  if (!remedy.empty()) text += " (" + remedy + ")";
  return text;
}

}  // namespace mip6
