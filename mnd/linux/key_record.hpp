// Which manual keys were in use, without the keys: what both ends keep beside their sequence numbers, to know keys that
// are new from keys whose numbers they have to go on with.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "libmip6/error.hpp"
#include "mnd/linux/manual_keys.hpp"

namespace mnd::kernel {

// SHA-256 over a random salt and a key that proves integrity: such a key has 256 bits or more, nobody guesses it.
struct KeyRecord {
  std::string salt;           // hexadecimal, as the fingerprints
  std::string to_home_agent;  // of the present keys
  std::string to_node;
  std::vector<std::string> former;  // of all keys before, oldest first; at most kMaxFormer
  static constexpr std::size_t kMaxFormer = 64;
  bool operator==(const KeyRecord&) const = default;
};

enum class KeyHistory : std::uint8_t {
  kUnknown,  // there is no record
  kSame,     // the present ones
  kNew,      // neither of them was ever seen
  kHalfNew,  // one direction has a new key, the other has not
  kFormer,   // one of them was replaced before
};
KeyHistory history_of(const std::optional<KeyRecord>& record, const ManualKeys& keys);

// A record in which `keys` are the present ones; those of `before` become former ones.
tl::expected<KeyRecord, mip6::Error> record_of(const ManualKeys& keys, const std::optional<KeyRecord>& before);

nlohmann::json to_json(const KeyRecord& record);
// Empty: it is none, or damaged.
std::optional<KeyRecord> key_record_from(const nlohmann::json& json);

// Why keys of this history cannot be used, in words; empty for kSame and kNew.
std::string_view objection_to(KeyHistory history);

}  // namespace mnd::kernel
