// See authority.hpp.
#include "examples/home-agent/authority.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "examples/home-agent/run_program.hpp"
#include "mnd/linux/durable_file.hpp"
#include "mnd/linux/os_error.hpp"

namespace mip6ha {
namespace {

using mip6::Error;
using Text = tl::expected<std::string, Error>;
using Words = std::vector<std::string>;

constexpr std::string_view kPackage = "strongswan-pki";
constexpr auto kDay = std::chrono::hours{24};
constexpr auto kValid = 3650 * kDay;

Text pki(Words words, std::string_view input = {}) {
  words.insert(words.begin(), "pki");
  words.insert(words.end(), {"--outform", "pem"});
  return run_program(words, input, kPackage);
}

Text make_key() { return pki({"--gen", "--type", "ecdsa", "--size", "256"}); }

// pki's form of a time. From a day ago on: the other end's clock may be slow.
std::string time_of(std::chrono::system_clock::time_point when) {
  return fmt::format("{:%d.%m.%y %H:%M:%S}", fmt::gmtime(std::chrono::system_clock::to_time_t(when)));
}

void add_validity(Words& words) {
  const auto now = std::chrono::system_clock::now();
  words.insert(words.end(), {"--not-before", time_of(now - kDay), "--not-after", time_of(now + kValid)});
}

Text issue_for(const std::string& key, const std::string& name, const Words& names, const std::string& ca_certificate,
               const std::string& ca_key) {
  Words words{"--issue", "--type", "priv", "--cacert", ca_certificate, "--cakey", ca_key, "--dn", "CN=" + name};
  for (const auto& one : names) words.insert(words.end(), {"--san", one});
  add_validity(words);
  return pki(std::move(words), key);
}

Text read(const std::filesystem::path& path) {
  auto content = mnd::kernel::read_durable(path);
  if (!content) return tl::unexpected(content.error());
  if (!*content)
    return tl::unexpected(
        mnd::kernel::os_error(ENOENT, "read the file " + path.string(), {}, "restore it from a backup"));
  return std::move(**content);
}

}  // namespace

Authority::Authority(std::filesystem::path folder) : folder_{std::move(folder)} {}

std::filesystem::path Authority::agent_file() const { return folder_ / "agent.pem"; }

std::filesystem::path Authority::file(std::string_view name) const { return folder_ / "ca" / name; }

bool Authority::exists() const { return mnd::kernel::is_there(file("ca.key")) && mnd::kernel::is_there(agent_file()); }

// pki reads the authority's key from a file: it must be there before it can sign.
tl::expected<void, Error> Authority::make_itself(FileChange& change, const std::string& address) const {
  const auto key = make_key();
  if (!key) return tl::unexpected(key.error());
  Words words{"--self", "--ca", "--type", "priv", "--dn", "CN=mip6-ha " + address};
  add_validity(words);
  const auto certificate = pki(std::move(words), *key);
  if (!certificate) return tl::unexpected(certificate.error());
  const auto folder = folder_ / "ca";
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return tl::unexpected(mnd::kernel::os_error(errno, "make the folder " + folder.string(), {}, "do it as root"));
  change.create(file("ca.key"), *key, 0600);
  change.create(file("ca.pem"), *certificate, 0644);
  auto done = change.commit();
  if (!done) ::rmdir(folder.c_str());  // if there is nothing in it
  return done;
}

tl::expected<void, Error> Authority::make(FileChange& change, const std::string& identity,
                                          const std::string& address) const {
  if (!mnd::kernel::is_there(file("ca.key")))
    if (auto made = make_itself(change, address); !made) return made;
  if (mnd::kernel::is_there(agent_file())) return {};
  Words names{address};
  if (identity != address) names.push_back(identity);
  const auto own = issue("home agent", names);
  if (!own) return tl::unexpected(own.error());
  const auto root = certificate();
  if (!root) return tl::unexpected(root.error());
  change.create(agent_file(), own->key + own->certificate + *root, 0640);  // the agent's group reads it
  return change.commit();
}

tl::expected<Issued, Error> Authority::issue(const std::string& name, const std::vector<std::string>& names) const {
  auto key = make_key();
  if (!key) return tl::unexpected(key.error());
  auto certificate = issue_for(*key, name, names, file("ca.pem").string(), file("ca.key").string());
  if (!certificate) return tl::unexpected(certificate.error());
  return Issued{std::move(*key), std::move(*certificate)};
}

Text Authority::certificate() const { return read(file("ca.pem")); }

}  // namespace mip6ha
