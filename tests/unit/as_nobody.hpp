// A test of what a user may not: as root it becomes nobody for a while.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

// What is in `folder` can be reached meanwhile, as far as its own mode allows.
class AsNobody {
 public:
  explicit AsNobody(const std::filesystem::path& folder) {
    constexpr unsigned kNobody = 65534;
    ::chmod(folder.c_str(), 0755);
    if (::getegid() == 0 && ::setegid(kNobody) != 0) return;
    if (::geteuid() == 0 && ::seteuid(kNobody) != 0) return;
  }
  ~AsNobody() {
    if (::seteuid(::getuid()) != 0 || ::setegid(::getgid()) != 0) ::_exit(1);
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
};
