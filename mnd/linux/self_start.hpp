// This program started once more in its own place: the process stays, what it has in the kernel too.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "libmip6/error.hpp"

namespace mnd::kernel {

class SelfStart {
 public:
  // At the start of main(): by what path and with which words this program runs. After an upgrade there is another file
  // at that path, which is what is started then.
  SelfStart(int argc, char* const argv[]);

  // Comes back only with an error, and then nothing has changed. All descriptors but the standard ones are closed.
  // SIGTERM, SIGINT and SIGHUP wait until the next one calls take_signals().
  mip6::Error start() const;
  // To be called as soon as they are handled.
  static void take_signals();

 private:
  std::filesystem::path path_;
  std::vector<std::string> words_;
};

}  // namespace mnd::kernel
