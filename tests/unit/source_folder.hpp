// The root of the source tree, for tests that read the project's own documents.
#pragma once

#include <filesystem>

// MND_SOURCE_DIR is defined for those tests only (tests/CMakeLists.txt): __FILE__ need not be an absolute path.
inline std::filesystem::path source_folder() { return MND_SOURCE_DIR; }
