// The root of the source tree, for tests that read the project's own documents.
#pragma once

#include <filesystem>

namespace mip6ha::test {

// From the place of this file in it.
inline std::filesystem::path source_folder() {
  return std::filesystem::path{__FILE__}.parent_path().parent_path().parent_path().parent_path();
}

}  // namespace mip6ha::test
