// A plain main for a fuzz target: replays the files, and the files in the folders, that are its arguments. A finding
// ends it by signal or sanitizer; no file at all is a failure too.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

bool replay(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  const std::vector<char> content{std::istreambuf_iterator<char>{file}, {}};
  if (!file.is_open() || file.bad()) {
    std::cerr << "cannot read " << path << "\n";
    return false;
  }
  // A copy of just this size: reading beyond it is seen by AddressSanitizer.
  const std::vector<std::uint8_t> input(content.begin(), content.end());
  std::cout << path.string() << ": " << input.size() << " bytes" << std::endl;
  LLVMFuzzerTestOneInput(input.data(), input.size());
  return true;
}

}  // namespace

int main(int argc, char* argv[]) {
  std::size_t replayed = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(argv[i], error)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator{argv[i], error})
        if (entry.is_regular_file(error)) files.push_back(entry.path());
    } else {
      files.emplace_back(argv[i]);
    }
    for (const auto& file : files) {
      if (!replay(file)) return 1;
      ++replayed;
    }
  }
  if (replayed == 0) {
    std::cerr << "nothing to replay: no file in the arguments\n";
    return 1;
  }
  std::cout << replayed << " replayed\n";
  return 0;
}
