// Settings of interfaces (sysctl) that are changed for their user, and put back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"

namespace mnd::kernel {

// Optimistic duplicate address detection (RFC 4429) of interfaces: an address can be used while it is tested.
class OptimisticDad {
 public:
  // `record`: a file in which it stands what the interfaces had before, for the next process if this one dies; of
  // another boot than `boot` it counts for nothing. `settings`: the kernel's, a folder for each interface.
  OptimisticDad(std::filesystem::path record, std::string boot,
                std::filesystem::path settings = "/proc/sys/net/ipv6/conf");

  // Asks for it on the interface of this index and name; once, so that what others set afterwards stays.
  tl::expected<void, mip6::Error> ask(std::uint32_t interface, const std::string& name);
  // It is not wanted there any more: what the interface had before, if it was asked for.
  tl::expected<void, mip6::Error> give_back(std::uint32_t interface, const std::string& name);
  // What the interfaces had before, as far as `name_of` still knows them; the first error, after all were tried.
  tl::expected<void, mip6::Error> restore(const std::function<std::optional<std::string>(std::uint32_t)>& name_of);

 private:
  struct Values {
    int optimistic_dad = 0;
    int use_optimistic = 0;
  };
  tl::expected<Values, mip6::Error> read(const std::string& name) const;
  tl::expected<void, mip6::Error> write(const std::string& name, const Values& values) const;
  void load();
  tl::expected<void, mip6::Error> store() const;

  std::filesystem::path record_;
  std::string boot_;
  std::filesystem::path settings_;
  std::map<std::uint32_t, Values> former_;
};

}  // namespace mnd::kernel
