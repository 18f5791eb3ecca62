// What is wrong, by its source, until that source says that it is over: for `mip6ctl status`.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "libmip6/time.hpp"

namespace mnd {

struct TroubleReport {
  std::string what;
  std::string remedy;
  mip6::BootTime since;
  bool local = false;   // this machine's own kernel or disk
  bool current = true;  // false: it is over, kept as the last one there was
};

class Troubles {
 public:
  // `source` is one of a few fixed words. False if that source told the same before and it is not over.
  bool begin(const std::string& source, std::string what, std::string remedy, mip6::BootTime now, bool local = false);
  void over(const std::string& source);
  bool current(const std::string& source) const;
  const TroubleReport* find(const std::string& source) const;  // nullptr: it never told any
  // Of those that are not over the newest, local ones first (nothing can go well before they are mended); else the
  // newest; nullptr if there never was one.
  const TroubleReport* shown() const;
  // The newest of this machine's own that is not over, none of those sources; nullptr if there is none.
  const TroubleReport* shown_local(std::initializer_list<std::string_view> other_than) const;

 private:
  std::map<std::string, TroubleReport> by_source_;
};

}  // namespace mnd
