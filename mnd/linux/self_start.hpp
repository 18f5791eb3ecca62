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
  // Signals that are blocked stay so, and those that are pending do too: the next one is told (signals.hpp).
  mip6::Error start() const;

 private:
  std::filesystem::path path_;
  std::vector<std::string> words_;
};

}  // namespace mnd::kernel
