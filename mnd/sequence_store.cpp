// The file is one JSON object: {"version": 1, "reserved_until": 41216}.
#include "mnd/sequence_store.hpp"

#include <nlohmann/json.hpp>
#include <system_error>

#include "mnd/linux/durable_file.hpp"

namespace mnd {

using nlohmann::json;

namespace {

constexpr int kFileVersion = 1;

mip6::Error damaged(const std::filesystem::path& file) {
  return {.tried = "read the sequence number state",
          .on = file.string(),
          .reason = "the file is damaged",
          .remedy = "nothing to do with dynamic keys: new keys are made and a new file is written"};
}

}  // namespace

SequenceStore::SequenceStore(const std::filesystem::path& folder, const mip6::Ipv6Address& home_address,
                             const mip6::Ipv6Address& home_agent)
    : file_{folder / ("sequence-" + home_address.to_string() + "-" + home_agent.to_string() + ".json")} {}

tl::expected<std::optional<mip6::SequenceNumber>, mip6::Error> SequenceStore::load() const {
  const auto content = kernel::read_durable(file_);
  if (!content) return tl::unexpected(content.error());
  if (!*content) return std::optional<mip6::SequenceNumber>{};
  const json state = json::parse(**content, nullptr, false);
  if (!state.is_object() || state.value("version", json{}) != kFileVersion) return tl::unexpected(damaged(file_));
  const auto until = state.find("reserved_until");
  if (until == state.end() || !until->is_number_unsigned() || until->get<std::uint64_t>() > 0xffff)
    return tl::unexpected(damaged(file_));
  return mip6::SequenceNumber{until->get<std::uint16_t>()};
}

tl::expected<void, mip6::Error> SequenceStore::store(mip6::SequenceNumber end) const {
  const auto folder = file_.parent_path();
  std::error_code ignored;  // a folder that cannot be made is told by the write below
  if (std::filesystem::create_directories(folder, ignored))
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);
  return kernel::replace_durably(file_, json{{"version", kFileVersion}, {"reserved_until", end.value()}}.dump() + "\n");
}

}  // namespace mnd
