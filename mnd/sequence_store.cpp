// The file is one JSON object: {"version": 1, "reserved_until": 41216, "first_under_keys": 40960}. The last member is
// missing where that number is not known; files of older versions never have it. Where a node has several home agents
// there is also "home_agent": "2001:db8:1::2".
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

// Nothing where `name` is no 16 bit number.
std::optional<mip6::SequenceNumber> number(const json& state, const char* name) {
  const auto found = state.find(name);
  if (found == state.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() > 0xffff) return std::nullopt;
  return mip6::SequenceNumber{found->get<std::uint16_t>()};
}

}  // namespace

json to_json(const mip6::SequenceState& state) {
  json content{{"version", kFileVersion}, {"reserved_until", state.first_unused.value()}};
  if (state.first_under_keys) content["first_under_keys"] = state.first_under_keys->value();
  return content;
}

std::optional<mip6::SequenceState> sequence_state_from(const json& state) {
  if (!state.is_object() || state.value("version", json{}) != kFileVersion) return std::nullopt;
  const auto until = number(state, "reserved_until");
  const auto first = number(state, "first_under_keys");
  if (!until || (!first && state.contains("first_under_keys"))) return std::nullopt;
  return mip6::SequenceState{*until, first};
}

tl::expected<void, mip6::Error> store_state(const std::filesystem::path& file, const json& content) {
  const auto folder = file.parent_path();
  std::error_code ignored;  // a folder that cannot be made is told by the write below
  if (std::filesystem::create_directories(folder, ignored))
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);
  return kernel::replace_durably(file, content.dump() + "\n");
}

SequenceStore::SequenceStore(const std::filesystem::path& folder, const mip6::Ipv6Address& home_address,
                             const mip6::Ipv6Address& home_agent)
    : file_{folder / ("sequence-" + home_address.to_string() + "-" + home_agent.to_string() + ".json")} {}

tl::expected<std::optional<mip6::SequenceState>, mip6::Error> SequenceStore::load() const {
  const auto content = kernel::read_durable(file_);
  if (!content) return tl::unexpected(content.error());
  if (!*content) return std::optional<mip6::SequenceState>{};
  const auto state = sequence_state_from(json::parse(**content, nullptr, false));
  if (!state) return tl::unexpected(damaged(file_));
  return state;
}

std::optional<mip6::Ipv6Address> SequenceStore::home_agent() const {
  const auto content = kernel::read_durable(file_);
  if (!content || !*content) return std::nullopt;
  const auto state = json::parse(**content, nullptr, false);
  const auto found = state.is_object() ? state.find("home_agent") : state.end();
  if (found == state.end() || !found->is_string()) return std::nullopt;
  return mip6::Ipv6Address::parse(found->get<std::string>());
}

tl::expected<void, mip6::Error> SequenceStore::store(const mip6::SequenceState& state,
                                                     const std::optional<mip6::Ipv6Address>& home_agent) const {
  auto content = to_json(state);
  if (home_agent) content["home_agent"] = home_agent->to_string();
  return store_state(file_, content);
}

}  // namespace mnd
