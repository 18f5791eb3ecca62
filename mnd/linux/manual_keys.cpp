// See manual_keys.hpp. The file has the form of a configuration file; of its own mistakes no text is repeated, since
// any of it may be a part of a key.
#include "mnd/linux/manual_keys.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "mnd/linux/durable_file.hpp"
#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {
namespace {

constexpr std::string_view kToAgent = "to-home-agent";
constexpr std::string_view kToNode = "to-node";
constexpr std::string_view kMakeKeys = "take a key from 'mnd --make-keys'";
constexpr std::uint32_t kFirstSpi = 256;  // RFC 4303 section 2.1: those below are reserved
constexpr std::array<IntegrityTraits, 3> kIntegrity{{{"hmac-sha-256", "hmac(sha256)", 32, 128},
                                                     {"hmac-sha-384", "hmac(sha384)", 48, 192},
                                                     {"hmac-sha-512", "hmac(sha512)", 64, 256}}};
constexpr std::array<std::size_t, 2> kAesKeySizes{16, 32};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::string lowercase(std::string_view text) {
  std::string result{text};
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

std::optional<KeyBytes> from_hex(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  if (text.empty() || text.size() % 2 != 0) return std::nullopt;
  KeyBytes bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char* digits = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, bytes[i], 16);
    if (error != std::errc{} || end != digits + 2) return std::nullopt;
  }
  return bytes;
}

// One byte again and again, a shorter pattern again and again, or counted up: made by a person, not at random.
bool is_pattern(const KeyBytes& key) {
  for (std::size_t period = 1; period <= key.size() / 2; ++period)
    if (std::equal(key.begin() + static_cast<std::ptrdiff_t>(period), key.end(), key.begin())) return true;
  for (std::size_t i = 2; i < key.size(); ++i)
    if (static_cast<std::uint8_t>(key[i] - key[i - 1]) != static_cast<std::uint8_t>(key[1] - key[0])) return false;
  return true;
}

// Also where one key is the beginning of a longer one.
bool same_key(const KeyBytes& one, const KeyBytes& other) {
  const auto size = std::min(one.size(), other.size());
  return size > 0 && std::equal(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(size), other.begin());
}

// One of the two sections.
class SaReader {
 public:
  SaReader(const ConfigSection& section, std::vector<ConfigMistake>& mistakes)
      : section_{section}, mistakes_{mistakes} {}

  ManualSa read() {
    ManualSa sa;
    read_spi(sa);
    read_encryption(sa);
    read_integrity(sa);
    for (const auto& setting : section_.settings)
      if (std::find(kNames.begin(), kNames.end(), setting.key) == kNames.end())
        mistake(setting, "unknown setting", fmt::format("known are: {}", fmt::join(kNames, ", ")));
    return sa;
  }

 private:
  static constexpr std::array<std::string_view, 5> kNames{"spi", "encryption", "encryption-key", "integrity",
                                                          "integrity-key"};

  void mistake(const ConfigSetting& setting, std::string_view what, std::string remedy) {
    const bool known = std::find(kNames.begin(), kNames.end(), setting.key) != kNames.end();
    mistakes_.push_back({setting.file, setting.line,
                         known ? fmt::format("{}: {}", setting.key, what) : std::string{what}, std::move(remedy)});
  }
  const ConfigSetting* require(std::string_view key, std::string remedy) {
    const auto* setting = section_.find(key);
    if (setting == nullptr)
      mistakes_.push_back(
          {section_.file, section_.line, fmt::format("[{}] has no {}", section_.name, key), std::move(remedy)});
    return setting;
  }

  void read_spi(ManualSa& sa) {
    const auto* setting = require("spi", "write spi = 0x with 8 hexadecimal digits, another one for each direction");
    if (setting == nullptr) return;
    std::string_view digits{setting->value};
    const bool hex = digits.starts_with("0x");
    if (hex) digits.remove_prefix(2);
    std::uint32_t spi = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), spi, hex ? 16 : 10);
    if (error != std::errc{} || end != digits.data() + digits.size())
      mistake(*setting, "is no SPI", "write a number of 32 bits, such as 0x1a2b3c4d");
    else if (spi < kFirstSpi)
      mistake(*setting, fmt::format("{} is reserved (RFC 4303)", spi), "choose an SPI of 256 or higher");
    else
      sa.spi = spi;
  }

  void read_encryption(ManualSa& sa) {
    if (const auto* setting = require("encryption", "write encryption = aes-cbc")) check_encryption(*setting);
    const auto* key = require("encryption-key", std::string{kMakeKeys});
    if (key == nullptr) return;
    auto bytes = read_key(*key);
    if (!bytes) return;
    if (std::find(kAesKeySizes.begin(), kAesKeySizes.end(), bytes->size()) == kAesKeySizes.end())
      mistake(*key, fmt::format("has {} bytes, aes-cbc needs 16 or 32", bytes->size()), std::string{kMakeKeys});
    else
      sa.encryption_key = std::move(*bytes);
  }

  void check_encryption(const ConfigSetting& setting) {
    const auto name = lowercase(setting.value);
    if (name == "aes-cbc") return;
    for (const auto* part : {"ctr", "gcm", "ccm", "chacha", "gmac"})
      if (contains(name, part))
        return mistake(setting,
                       "a counter mode: with a static key the counter begins anew at each start, and what was "
                       "encrypted with the same counter twice can be read",
                       "write encryption = aes-cbc, or use keying = ikev2");
    if (contains(name, "null") || name == "none")
      return mistake(setting, "nothing would be encrypted", "write encryption = aes-cbc");
    mistake(setting, "no cipher for manual keys", "write encryption = aes-cbc");
  }

  void read_integrity(ManualSa& sa) {
    const auto* setting = require(
        "integrity", "write integrity = hmac-sha-256: without authentication anybody could send Binding Updates");
    const auto* algorithm = setting == nullptr ? nullptr : find_integrity(*setting);
    const auto* key = require("integrity-key", std::string{kMakeKeys});
    if (algorithm == nullptr || key == nullptr) return;
    sa.integrity = static_cast<Integrity>(algorithm - kIntegrity.data());
    auto bytes = read_key(*key);
    if (!bytes) return;
    if (bytes->size() != algorithm->key_size)
      mistake(*key, fmt::format("has {} bytes, {} needs {}", bytes->size(), algorithm->name, algorithm->key_size),
              std::string{kMakeKeys});
    else
      sa.integrity_key = std::move(*bytes);
  }

  const IntegrityTraits* find_integrity(const ConfigSetting& setting) {
    const auto name = lowercase(setting.value);
    for (const auto& one : kIntegrity)
      if (one.name == name) return &one;
    const bool none = name.empty() || name == "none" || contains(name, "null");
    mistake(setting,
            none ? "without authentication anybody could send Binding Updates" : "no integrity algorithm of ours",
            "write integrity = hmac-sha-256, hmac-sha-384 or hmac-sha-512");
    return nullptr;
  }

  std::optional<KeyBytes> read_key(const ConfigSetting& setting) {
    auto bytes = from_hex(setting.value);
    if (!bytes) {
      mistake(setting, "is not a row of pairs of hexadecimal digits", std::string{kMakeKeys});
    } else if (is_pattern(*bytes)) {
      mistake(setting, "is weak: one pattern again and again, or counted up", std::string{kMakeKeys});
      bytes.reset();
    }
    return bytes;
  }

  const ConfigSection& section_;
  std::vector<ConfigMistake>& mistakes_;
};

// What two keys or SPIs of a file must not share.
void compare(const ManualKeys& keys, const std::string& file, std::vector<ConfigMistake>& mistakes) {
  if (keys.to_home_agent.spi != 0 && keys.to_home_agent.spi == keys.to_node.spi)
    mistakes.push_back({file, 0, fmt::format("spi {:#010x} is given twice", keys.to_node.spi),
                        "give each direction an SPI of its own"});
  struct Named {
    std::string_view section;
    std::string_view key;
    const KeyBytes& bytes;
  };
  const std::array<Named, 4> all{{{kToAgent, "encryption-key", keys.to_home_agent.encryption_key},
                                  {kToAgent, "integrity-key", keys.to_home_agent.integrity_key},
                                  {kToNode, "encryption-key", keys.to_node.encryption_key},
                                  {kToNode, "integrity-key", keys.to_node.integrity_key}}};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = i + 1; j < all.size(); ++j)
      if (same_key(all[i].bytes, all[j].bytes))
        mistakes.push_back({file, 0,
                            fmt::format("{} of [{}] and {} of [{}] are the same", all[i].key, all[i].section,
                                        all[j].key, all[j].section),
                            "give each purpose and each direction a key of its own: " + std::string{kMakeKeys}});
}

std::string hex(std::span<const std::uint8_t> bytes) { return fmt::format("{:02x}", fmt::join(bytes, "")); }

}  // namespace

const IntegrityTraits& traits_of(Integrity integrity) { return kIntegrity.at(static_cast<std::size_t>(integrity)); }

tl::expected<ManualKeys, std::vector<ConfigMistake>> parse_manual_keys(std::string_view text, const std::string& file) {
  auto content = parse_config_content(text, file);
  std::vector<ConfigMistake> mistakes;
  for (const auto& mistake : content.mistakes)
    mistakes.push_back({file, mistake.line, "this line is not understood, or its setting is there twice",
                        "see mnd.conf(5), MANUAL KEYS, for the form of the file"});
  ManualKeys keys;
  std::array<std::pair<std::string_view, ManualSa*>, 2> wanted{
      {{kToAgent, &keys.to_home_agent}, {kToNode, &keys.to_node}}};
  std::array<bool, 2> found{};
  for (const auto& section : content.sections) {
    if (section.name.empty() && section.settings.empty()) continue;
    const auto which =
        std::find_if(wanted.begin(), wanted.end(), [&](const auto& one) { return one.first == section.name; });
    const auto index = static_cast<std::size_t>(which - wanted.begin());
    if (which == wanted.end() || std::exchange(found.at(index), true)) {
      const int line = section.name.empty() ? section.settings.front().line : section.line;
      mistakes.push_back({file, line, "neither of the two sections, or one of them a second time",
                          fmt::format("write [{}] and [{}], once each", kToAgent, kToNode)});
      continue;
    }
    *which->second = SaReader{section, mistakes}.read();
  }
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!found.at(i))
      mistakes.push_back({file, 0, fmt::format("has no section [{}]", wanted.at(i).first),
                          "write both directions, or make the file with 'mnd --make-keys'"});
  compare(keys, file, mistakes);
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return keys;
}

tl::expected<ManualKeys, std::vector<ConfigMistake>> read_manual_keys(const std::filesystem::path& path) {
  const auto text = read_manual_key_file(path);
  if (text) return parse_manual_keys(*text, path.string());
  const auto& error = text.error();
  return tl::unexpected(std::vector<ConfigMistake>{
      {path.string(), 0, error.os_error == 0 ? error.reason : std::generic_category().message(error.os_error),
       error.remedy}});
}

tl::expected<std::string, mip6::Error> make_manual_keys() {
  std::array<std::uint8_t, 2 * (4 + 32 + 32)> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return tl::unexpected(os_error(errno, "make keys", "getrandom", "try again"));
  std::string text =
      "# Manual keys of one node and its home agent; the same file on both. Never use it a second time.\n";
  std::span<const std::uint8_t> rest{random};
  for (const auto section : {kToAgent, kToNode}) {
    const std::span<const std::uint8_t> own = rest.first(random.size() / 2);
    rest = rest.subspan(own.size());
    // charon takes its SPIs from 0xc0000000 on: these stay below, and the two directions differ in their first digit.
    const unsigned first_digit = section == kToAgent ? 1U : 2U;
    text += fmt::format(
        "\n[{}]\nspi = 0x{:x}{}\nencryption = aes-cbc\nencryption-key = {}\nintegrity = hmac-sha-256\n"
        "integrity-key = {}\n",
        section, first_digit, hex(own.first(4)).substr(1), hex(own.subspan(4, 32)), hex(own.subspan(36, 32)));
  }
  return text;
}

}  // namespace mnd::kernel
