// See bundle.hpp.
#include "examples/home-agent/bundle.hpp"

#include <fmt/format.h>

#include <array>
#include <cassert>
#include <cstring>

#include "ike-glue/method.hpp"

namespace mip6ha {
namespace {

constexpr std::size_t kBlock = 512;

// Settings that both ends must have alike.
constexpr std::array<std::string_view, 5> kShared{"ike-proposals", "esp-proposals", "signature-hash", "protect",
                                                  ike::kConsentKey};

struct Header {  // ustar; numbers are octal digits
  char name[100];
  char mode[8];
  char user[8];
  char group[8];
  char size[12];
  char modified[12];
  char checksum[8];
  char kind;
  char link_name[100];
  char magic[6];
  char version[2];
  char user_name[32];
  char group_name[32];
  char device_major[8];
  char device_minor[8];
  char name_prefix[155];
  char padding[12];
};
static_assert(sizeof(Header) == kBlock);

template <std::size_t kSize>
void set_text(char (&field)[kSize], std::string_view text) {
  assert(text.size() < kSize);
  std::memcpy(field, text.data(), text.size());
}

template <std::size_t kSize>
void set_number(char (&field)[kSize], std::uint64_t number) {
  set_text(field, fmt::format("{:0{}o}", number, kSize - 1));
}

}  // namespace

std::string archive(const std::vector<ArchivedFile>& files, std::int64_t written) {
  std::string all;
  for (const auto& file : files) {
    Header header{};
    set_text(header.name, file.name);
    set_number(header.mode, file.mode);
    set_number(header.user, 0);
    set_number(header.group, 0);
    set_number(header.size, file.content.size());
    set_number(header.modified, static_cast<std::uint64_t>(written));
    header.kind = '0';
    std::memcpy(header.magic, "ustar", sizeof header.magic);
    std::memcpy(header.version, "00", sizeof header.version);
    set_text(header.user_name, "root");
    set_text(header.group_name, "root");
    // The sum is made as if its own field were blank.
    std::memset(header.checksum, ' ', sizeof header.checksum);
    std::array<unsigned char, kBlock> bytes{};
    std::memcpy(bytes.data(), &header, kBlock);
    unsigned sum = 0;
    for (const auto byte : bytes) sum += byte;
    const auto digits = fmt::format("{:06o}", sum);
    std::memcpy(header.checksum, digits.c_str(), digits.size() + 1);
    all.append(reinterpret_cast<const char*>(&header), kBlock);
    all += file.content;
    all.append((kBlock - all.size() % kBlock) % kBlock, '\0');
  }
  return all.append(2 * kBlock, '\0');
}

std::string_view name_of(Method method) {
  switch (method) {
    case Method::kPreSharedKey:
      return "psk";
    case Method::kCertificate:
      return "certificate";
    case Method::kManual:
      return "manual";
  }
  return {};
}

std::string_view secret_name(Method method) {
  switch (method) {
    case Method::kPreSharedKey:
      return "secret";
    case Method::kCertificate:
      return "node.pem";
    case Method::kManual:
      return "manual-keys";
  }
  return {};
}

std::string mnd_conf(const Config& config, const mnd::kernel::ConfigSection& top, const mnd::kernel::ConfigSection* own,
                     const NodeConfig& node, Method method) {
  const auto find = [&](std::string_view key) {
    const auto* setting = own != nullptr ? own->find(key) : nullptr;
    return setting != nullptr ? setting : top.find(key);
  };
  const auto* prefix = config.prefix_of(node.home_address);
  const bool is_next = prefix != nullptr && prefix != &config.prefix;
  auto text = fmt::format("home-address = {}/{}\nhome-agent = {}\n", node.home_address.to_string(),
                          (is_next ? *prefix : config.prefix).length, config.address.to_string());
  if (is_next) text += fmt::format("home-agent-prefix = {}\n", config.prefix.to_string());
  if (method == Method::kManual) return text + fmt::format("keying = manual\nmanual-keys = {}\n", secret_name(method));
  text += fmt::format("identity = {}\n{} = {}\nkeying = ", node.identity,
                      method == Method::kCertificate ? "certificate" : "secret-file", secret_name(method));
  const auto* keying = find("keying");
  text += (keying != nullptr ? keying->value : "ikev2") + '\n';
  if (config.identity != config.address.to_string()) text += fmt::format("home-agent-identity = {}\n", config.identity);
  for (const auto key : kShared)
    if (const auto* setting = find(key)) text += fmt::format("{} = {}\n", key, setting->value);
  return text;
}

std::string bundle(const std::string& conf, Method method, const std::string& secret, std::int64_t written) {
  return archive({{"mnd/mnd.conf", conf, 0640}, {fmt::format("mnd/{}", secret_name(method)), secret, 0600}}, written);
}

}  // namespace mip6ha
