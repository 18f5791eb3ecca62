// See farewell.hpp.
#include "mnd/farewell.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "mnd/linux/control_server.hpp"

namespace mnd {

using mip6::node::Farewell;

std::string words_for(Farewell farewell) {
  switch (farewell) {
    case Farewell::kAgreed:
      return "the home agent serves us no longer";
    case Farewell::kNotBound:
      return "nothing was registered";
    case Farewell::kNotAsked:
      return "the home agent could not be asked to de-register: no usable address, or no keys";
    case Farewell::kRefused:
      return "the home agent has refused the de-registration";
    case Farewell::kUnanswered:
      break;
  }
  return "the home agent has not answered the de-registration";
}

std::string answer_to_home(Farewell farewell, mip6::Lifetime lifetime) {
  const bool bound = farewell != Farewell::kNotBound;
  if (!bound || farewell == Farewell::kAgreed)
    return kernel::control_line({{"version", kernel::kControlVersion}, {"result", "ok"}, {"was_registered", bound}});
  return kernel::control_error(words_for(farewell),
                               fmt::format("nothing is registered any more after {} s at most", lifetime.count()));
}

}  // namespace mnd
