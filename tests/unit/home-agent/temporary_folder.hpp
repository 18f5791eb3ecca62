// A folder of a test's own, gone with the test.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace mip6ha::test {

// The root of the source tree, from the place of this file in it.
inline std::filesystem::path source_folder() {
  return std::filesystem::path{__FILE__}.parent_path().parent_path().parent_path().parent_path();
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "mip6-ha-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  // A file in it, mode 0600 unless told.
  std::filesystem::path write(const std::string& name, const std::string& content,
                              std::filesystem::perms mode = std::filesystem::perms{0600}) const {
    const auto file = path_ / name;
    std::ofstream{file} << content;
    std::filesystem::permissions(file, mode);
    return file;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace mip6ha::test
