// Keys set by hand: the ESP SAs between one home address and its home agent, from one file that both ends have a copy
// of. Key bytes are in no error and in no log.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/error.hpp"
#include "mnd/linux/config_file.hpp"

namespace mnd::kernel {

using KeyBytes = std::vector<std::uint8_t>;

// RFC 4868: the key is as long as the hash, what is sent of it half as long.
enum class Integrity : std::uint8_t { kHmacSha256, kHmacSha384, kHmacSha512 };
struct IntegrityTraits {
  std::string_view name;         // in the key file
  std::string_view kernel_name;  // in the kernel
  std::size_t key_size = 0;      // bytes
  unsigned sent_bits = 0;
};
const IntegrityTraits& traits_of(Integrity integrity);

struct ManualSa {           // one direction; always AES-CBC
  std::uint32_t spi = 0;    // host byte order, 256 or higher
  KeyBytes encryption_key;  // 16 or 32 bytes
  Integrity integrity{};
  KeyBytes integrity_key;  // as long as the algorithm wants it
};
struct ManualKeys {
  ManualSa to_home_agent;
  ManualSa to_node;
};

// From the text of a key file; `file` is its name in mistakes. All mistakes at once, each with a remedy.
tl::expected<ManualKeys, std::vector<ConfigMistake>> parse_manual_keys(std::string_view text, const std::string& file);
// The same from disk: a file of root (or of us) with mode 0640 or stricter, else it is not looked at.
tl::expected<ManualKeys, std::vector<ConfigMistake>> read_manual_keys(const std::filesystem::path& path);

// The text of a key file with keys and SPIs that nobody has used before. An error: the kernel has no random bytes.
tl::expected<std::string, mip6::Error> make_manual_keys();

}  // namespace mnd::kernel
