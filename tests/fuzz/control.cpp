// Fuzz target: any bytes as a line on the control socket. What is accepted is an object with a command; what is refused
// is answered with an object that tells the client why.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "mnd/linux/control_server.hpp"

using namespace mnd::kernel;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto request = parse_control_request({reinterpret_cast<const char*>(data), size});
  if (request) {
    if (!request->is_object() || !request->at("command").is_string()) std::abort();
    return 0;
  }
  if (request.error().reason.empty() || request.error().remedy.empty()) std::abort();
  // a text from outside in an answer is no trouble either
  const auto answer = control_error({reinterpret_cast<const char*>(data), size}, request.error().remedy);
  if (answer.find('\n') != std::string::npos || !nlohmann::json::parse(answer, nullptr, false).is_object())
    std::abort();
  return 0;
}
