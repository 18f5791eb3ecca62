// The control socket from mip6ctl's side: requests and answers are one JSON object per line.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "mnd/ctl/json.hpp"
#include "mnd/linux/descriptor.hpp"

namespace mip6ctl {

// What went wrong, for the user.
struct Failure {
  std::string what;
  std::string remedy;
  bool forbidden = false;  // the user may not
};

class Client {
 public:
  static constexpr std::chrono::seconds kAnswerTimeout{5};
  static constexpr std::size_t kMaxLine = 16 * 1024 * 1024;

  // A failure: the daemon cannot be reached.
  static tl::expected<Client, Failure> connect(const std::string& path);

  tl::expected<void, Failure> send(const json& request);
  // The next object. Empty `timeout`: waits for ever.
  tl::expected<json, Failure> receive(std::optional<std::chrono::milliseconds> timeout);

 private:
  explicit Client(mnd::kernel::Descriptor peer) : peer_{std::move(peer)} {}
  mnd::kernel::Descriptor peer_;
  std::string input_;
};

}  // namespace mip6ctl
