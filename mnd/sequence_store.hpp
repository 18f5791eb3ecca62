// The node's durable sequence number state: one small file, replaced atomically (founding text: non-volatile storage).
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"
#include "libmip6/sequence.hpp"

namespace mnd {

// One file per pair of home address and (first) home agent, in a folder that is made (0700) if missing.
class SequenceStore {
 public:
  SequenceStore(const std::filesystem::path& folder, const mip6::Ipv6Address& home_address,
                const mip6::Ipv6Address& home_agent);

  // Empty: nothing was ever stored. An error: there is a file, but it cannot be read or is damaged; its numbers are
  // lost.
  tl::expected<std::optional<mip6::SequenceState>, mip6::Error> load() const;
  // The home agent that served last, if the file tells one: it is the first to be tried after a restart.
  std::optional<mip6::Ipv6Address> home_agent() const;
  // Returns when the disk holds it; with the home agent that serves, where there are several.
  tl::expected<void, mip6::Error> store(const mip6::SequenceState& state,
                                        const std::optional<mip6::Ipv6Address>& home_agent = {}) const;

 private:
  std::filesystem::path file_;
};

// Its content, also for files that have more beside it; empty: it is none, or damaged.
nlohmann::json to_json(const mip6::SequenceState& state);
std::optional<mip6::SequenceState> sequence_state_from(const nlohmann::json& state);
// Replaces the file atomically; its folder is made if missing.
tl::expected<void, mip6::Error> store_state(const std::filesystem::path& file, const nlohmann::json& content);

}  // namespace mnd
