#include "mnd/linux/key_record.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {
namespace {

using nlohmann::json;

constexpr std::size_t kSaltSize = 16;

std::string hex(std::span<const std::uint8_t> bytes) { return fmt::format("{:02x}", fmt::join(bytes, "")); }

std::string fingerprint(const std::string& salt, const ManualSa& sa) {
  std::vector<std::uint8_t> text{salt.begin(), salt.end()};
  text.insert(text.end(), sa.integrity_key.begin(), sa.integrity_key.end());
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(text.data(), text.size(), digest.data());
  return hex(digest);
}

bool is_hex(const json& value, std::size_t bytes) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return text.size() == 2 * bytes && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

KeyHistory history_of(const std::optional<KeyRecord>& record, const ManualKeys& keys) {
  if (!record) return KeyHistory::kUnknown;
  const auto to_home_agent = fingerprint(record->salt, keys.to_home_agent);
  const auto to_node = fingerprint(record->salt, keys.to_node);
  if (to_home_agent == record->to_home_agent && to_node == record->to_node) return KeyHistory::kSame;
  const auto& former = record->former;
  const auto was_replaced = [&](const std::string& one) { return std::ranges::find(former, one) != former.end(); };
  if (was_replaced(to_home_agent) || was_replaced(to_node)) return KeyHistory::kFormer;
  // Also with its direction changed: what was captured of one direction must not be valid in the other.
  const auto is_present = [&](const std::string& one) {
    return one == record->to_home_agent || one == record->to_node;
  };
  return is_present(to_home_agent) || is_present(to_node) ? KeyHistory::kHalfNew : KeyHistory::kNew;
}

tl::expected<KeyRecord, mip6::Error> record_of(const ManualKeys& keys, const std::optional<KeyRecord>& before) {
  KeyRecord record;
  if (before) {
    record.salt = before->salt;
    record.former = before->former;
    record.former.push_back(before->to_home_agent);
    record.former.push_back(before->to_node);
    while (record.former.size() > KeyRecord::kMaxFormer) record.former.erase(record.former.begin());
  } else {
    std::array<std::uint8_t, kSaltSize> salt{};
    if (::getrandom(salt.data(), salt.size(), 0) != static_cast<ssize_t>(salt.size()))
      return tl::unexpected(os_error(errno, "take note of the manual keys", "getrandom", "try again"));
    record.salt = hex(salt);
  }
  record.to_home_agent = fingerprint(record.salt, keys.to_home_agent);
  record.to_node = fingerprint(record.salt, keys.to_node);
  return record;
}

json to_json(const KeyRecord& record) {
  return {{"salt", record.salt},
          {"to_home_agent", record.to_home_agent},
          {"to_node", record.to_node},
          {"former", record.former}};
}

std::optional<KeyRecord> key_record_from(const json& value) {
  if (!value.is_object()) return std::nullopt;
  const auto member = [&](const char* name) { return value.contains(name) ? value.at(name) : json{}; };
  const auto former = member("former");
  if (!is_hex(member("salt"), kSaltSize) || !is_hex(member("to_home_agent"), SHA256_DIGEST_LENGTH) ||
      !is_hex(member("to_node"), SHA256_DIGEST_LENGTH) || !former.is_array() || former.size() > KeyRecord::kMaxFormer)
    return std::nullopt;
  KeyRecord record{.salt = member("salt").get<std::string>(),
                   .to_home_agent = member("to_home_agent").get<std::string>(),
                   .to_node = member("to_node").get<std::string>(),
                   .former = {}};
  for (const auto& one : former) {
    if (!is_hex(one, SHA256_DIGEST_LENGTH)) return std::nullopt;
    record.former.push_back(one.get<std::string>());
  }
  return record;
}

std::string_view objection_to(KeyHistory history) {
  switch (history) {
    case KeyHistory::kUnknown:
      return "there is no record of the sequence numbers that these manual keys have seen";
    case KeyHistory::kHalfNew:
      return "only one of the two directions has a new manual key";
    case KeyHistory::kFormer:
      return "one of these manual keys was in use before and had been replaced";
    case KeyHistory::kSame:
    case KeyHistory::kNew:
      break;
  }
  return {};
}

}  // namespace mnd::kernel
