// The file is that of the SequenceStore with one more member, "keys".
#include "mnd/manual_store.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "mnd/linux/durable_file.hpp"
#include "mnd/sequence_store.hpp"

namespace mnd {

using kernel::KeyHistory;
using nlohmann::json;

namespace {

constexpr std::string_view kNewKeys = "make new keys (mnd --make-keys) and set them here and at the home agent";
constexpr std::string_view kOrSaySo = "; if these were never used, say so with mnd --keys-are-new";

// Under keys that nobody has used.
mip6::SequenceState from_here(const mip6::SequenceState& before) {
  return {.first_unused = before.first_unused, .first_under_keys = before.first_unused};
}

tl::expected<ManualRecord, mip6::Error> fresh(const kernel::ManualKeys& keys,
                                              const std::optional<ManualRecord>& before) {
  auto record = kernel::record_of(keys, before ? std::optional{before->keys} : std::nullopt);
  if (!record) return tl::unexpected(record.error());
  return ManualRecord{std::move(*record), from_here(before ? before->numbers : mip6::SequenceState{})};
}

KeyHistory history_of(const std::optional<ManualRecord>& record, const kernel::ManualKeys& keys) {
  return kernel::history_of(record ? std::optional{record->keys} : std::nullopt, keys);
}

ManualStart refused(ManualRecord record, std::string what, std::string_view more_remedy = {}) {
  return {.record = std::move(record),
          .usable = false,
          .what = std::move(what),
          .remedy = std::string{kNewKeys} + std::string{more_remedy}};
}

}  // namespace

ManualStore::ManualStore(const std::filesystem::path& folder, const mip6::Ipv6Address& home_address,
                         const mip6::Ipv6Address& home_agent)
    : file_{folder / ("manual-" + home_address.to_string() + "-" + home_agent.to_string() + ".json")} {}

ManualStore::Loaded ManualStore::load() const {
  const auto content = kernel::read_durable(file_);
  if (!content) return tl::unexpected(content.error());
  if (!*content) return std::optional<ManualRecord>{};
  const json state = json::parse(**content, nullptr, false);
  const auto numbers = sequence_state_from(state);
  const auto keys = numbers ? kernel::key_record_from(state.value("keys", json{})) : std::nullopt;
  if (!keys)
    return tl::unexpected(mip6::Error{.tried = "read the record of the manual keys",
                                      .on = file_.string(),
                                      .reason = "the file is damaged",
                                      .remedy = std::string{kNewKeys}});
  return std::optional{ManualRecord{*keys, *numbers}};
}

tl::expected<void, mip6::Error> ManualStore::store(const ManualRecord& record) const {
  json content = to_json(record.numbers);
  content["keys"] = kernel::to_json(record.keys);
  return store_state(file_, content);
}

tl::expected<ManualStart, mip6::Error> start_with(const kernel::ManualKeys& keys, const ManualStore::Loaded& loaded) {
  const auto record = loaded ? *loaded : std::nullopt;
  const auto history = history_of(record, keys);
  switch (history) {
    case KeyHistory::kSame:
      if (record->numbers.first_under_keys)
        return ManualStart{.record = *record, .usable = true, .what = {}, .remedy = {}};
      return refused(*record, "it is not known which sequence numbers these manual keys have seen", kOrSaySo);
    case KeyHistory::kNew: {
      auto started = fresh(keys, record);
      if (!started) return tl::unexpected(started.error());
      return ManualStart{.record = std::move(*started), .usable = true, .what = {}, .remedy = {}};
    }
    case KeyHistory::kHalfNew:
    case KeyHistory::kFormer:
      return refused(*record, std::string{objection_to(history)});
    case KeyHistory::kUnknown:
      break;
  }
  // From now on other keys are known to be other ones.
  auto started = fresh(keys, std::nullopt);
  if (!started) return tl::unexpected(started.error());
  started->numbers.first_under_keys.reset();
  if (loaded) return refused(std::move(*started), std::string{objection_to(history)}, kOrSaySo);
  mip6::Error error = loaded.error();
  error.remedy.clear();
  return refused(std::move(*started), fmt::format("{}: {}", objection_to(history), error.to_string()));
}

tl::expected<ManualRecord, mip6::Error> taken_as_new(const kernel::ManualKeys& keys,
                                                     const ManualStore::Loaded& loaded) {
  const auto record = loaded ? *loaded : std::nullopt;
  const auto history = history_of(record, keys);
  const auto refuse = [](std::string_view reason) {
    return tl::unexpected(mip6::Error{
        .tried = "take the manual keys as new", .reason = std::string{reason}, .remedy = std::string{kNewKeys}});
  };
  if (history == KeyHistory::kHalfNew || history == KeyHistory::kFormer) return refuse(objection_to(history));
  if (history != KeyHistory::kSame) return fresh(keys, record);
  const auto& numbers = record->numbers;
  if (numbers.first_under_keys && numbers.first_under_keys != numbers.first_unused)
    return refuse("there is a record of sequence numbers that they have seen");
  return ManualRecord{record->keys, from_here(numbers)};
}

}  // namespace mnd
