// See interface_settings.hpp.
#include "mnd/linux/interface_settings.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

namespace {

constexpr const char* kAddress = "optimistic_dad";  // new addresses are optimistic
constexpr const char* kSource = "use_optimistic";   // and may be chosen as source
constexpr const char* kRemedy = "the kernel needs CONFIG_IPV6_OPTIMISTIC_DAD (Debian's have it)";

tl::expected<int, mip6::Error> read_number(const std::filesystem::path& path) {
  int value = 0;
  errno = 0;
  if (!(std::ifstream{path} >> value)) return tl::unexpected(os_error(errno, "read a setting", path, kRemedy));
  return value;
}

tl::expected<void, mip6::Error> write_number(const std::filesystem::path& path, int value) {
  errno = 0;
  std::ofstream file{path};
  file << value << '\n';
  file.close();
  if (!file) return tl::unexpected(os_error(errno, "change a setting", path, kRemedy));
  return {};
}

}  // namespace

OptimisticDad::OptimisticDad(std::filesystem::path record, std::string boot, std::filesystem::path settings)
    : record_{std::move(record)}, boot_{std::move(boot)}, settings_{std::move(settings)} {
  load();
}

tl::expected<void, mip6::Error> OptimisticDad::ask(std::uint32_t interface, const std::string& name) {
  if (former_.contains(interface)) return {};
  const auto values = read(name);
  if (!values) return tl::unexpected(values.error());
  former_[interface] = *values;
  if (auto stored = store(); !stored) {
    former_.erase(interface);
    return stored;
  }
  return write(name, {.optimistic_dad = 1, .use_optimistic = 1});
}

tl::expected<void, mip6::Error> OptimisticDad::give_back(std::uint32_t interface, const std::string& name) {
  const auto former = former_.find(interface);
  if (former == former_.end()) return {};
  return write(name, former->second).and_then([&] {
    former_.erase(former);
    return store();
  });
}

tl::expected<void, mip6::Error> OptimisticDad::restore(
    const std::function<std::optional<std::string>(std::uint32_t)>& name_of) {
  tl::expected<void, mip6::Error> result;
  for (const auto& [interface, values] : former_) {
    const auto name = name_of(interface);
    if (!name) continue;
    if (const auto written = write(*name, values); !written && result) result = written;
  }
  former_.clear();
  std::error_code ignored;
  std::filesystem::remove(record_, ignored);
  return result;
}

tl::expected<OptimisticDad::Values, mip6::Error> OptimisticDad::read(const std::string& name) const {
  return read_number(settings_ / name / kAddress).and_then([&](int address) {
    return read_number(settings_ / name / kSource).map([&](int source) { return Values{address, source}; });
  });
}

tl::expected<void, mip6::Error> OptimisticDad::write(const std::string& name, const Values& values) const {
  return write_number(settings_ / name / kAddress, values.optimistic_dad).and_then([&] {
    return write_number(settings_ / name / kSource, values.use_optimistic);
  });
}

void OptimisticDad::load() {
  std::ifstream file{record_};
  std::string boot;
  if (!(file >> boot) || boot != boot_) return;
  std::uint32_t interface = 0;
  Values values;
  while (file >> interface >> values.optimistic_dad >> values.use_optimistic) former_[interface] = values;
}

// What a power cut makes of it does not matter: it is of this boot.
tl::expected<void, mip6::Error> OptimisticDad::store() const {
  errno = 0;
  std::ofstream file{record_};
  file << boot_ << '\n';
  for (const auto& [interface, values] : former_)
    file << interface << ' ' << values.optimistic_dad << ' ' << values.use_optimistic << '\n';
  file.close();
  if (!file) return tl::unexpected(os_error(errno, "note the interfaces' settings", record_));
  return {};
}

}  // namespace mnd::kernel
