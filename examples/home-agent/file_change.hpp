// Files that come, change and go together, or not at all: what `add`, `remove` and `rotate` do to the configuration.
#pragma once

#include <filesystem>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/error.hpp"
#include "mnd/linux/descriptor.hpp"

namespace mip6ha {

// One change at a time in a folder: others wait for its end.
class FileChange {
 public:
  using Result = tl::expected<void, mip6::Error>;

  // Waits for other changes in `folder`, which must exist, and puts right what a killed one left. Errors: not
  // permitted.
  static tl::expected<FileChange, mip6::Error> begin(const std::filesystem::path& folder);

  // What commit() is to do; all paths absolute. A file that is created must not be there by then.
  void create(std::filesystem::path path, std::string content, unsigned mode);
  void replace(std::filesystem::path path, std::string content, unsigned mode);
  void remove(std::filesystem::path path);  // that it is not there is no error

  // Returns after all of it is on the disk; then the next one can be prepared. After an error nothing was done; also if
  // the machine stops in between, once the next change begins: but removals are carried through, and of several
  // replaced files some may be the new ones.
  Result commit();
  // What the last commit() created goes again; what it removed or replaced is not brought back.
  void undo();

 private:
  struct File {
    std::filesystem::path path;
    std::string content;
    unsigned mode = 0;
    bool replaces = false;
  };

  FileChange(std::filesystem::path folder, mnd::kernel::Descriptor lock);
  std::filesystem::path journal() const;
  Result put_right();
  Result write_journal() const;
  Result write(const File& file);
  bool few() const;
  Result sync() const;
  void take_back();

  std::filesystem::path folder_;
  mnd::kernel::Descriptor lock_;
  std::vector<File> files_;
  std::vector<std::filesystem::path> removals_;
  std::vector<std::filesystem::path> written_;  // until now, under the names that they have until the end
};

}  // namespace mip6ha
