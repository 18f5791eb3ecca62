// The node's durable state with manual keys: which keys, and what they have seen of the sequence numbers.
//
// A number that was used under a key must never be used under it again, so keys without such a record are not used:
// a first start cannot be told from a lost file, and a restart at zero would repeat numbers. Keys that differ from
// those of the record are new and start anew; where there is no record the user says that they are (`mnd
// --keys-are-new`).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"
#include "libmip6/sequence.hpp"
#include "mnd/linux/key_record.hpp"
#include "mnd/linux/manual_keys.hpp"

namespace mnd {

struct ManualRecord {
  kernel::KeyRecord keys;
  mip6::SequenceState numbers;
  bool operator==(const ManualRecord&) const = default;
};

// One file per pair of home address and home agent, beside that of the SequenceStore: its numbers are other keys'.
class ManualStore {
 public:
  using Loaded = tl::expected<std::optional<ManualRecord>, mip6::Error>;
  ManualStore(const std::filesystem::path& folder, const mip6::Ipv6Address& home_address,
              const mip6::Ipv6Address& home_agent);

  // As SequenceStore.
  Loaded load() const;
  tl::expected<void, mip6::Error> store(const ManualRecord& record) const;
  const std::filesystem::path& file() const { return file_; }

 private:
  std::filesystem::path file_;
};

// What a start with these keys means.
struct ManualStart {
  ManualRecord record;  // the core goes on with its numbers, and from now on they are stored with its keys
  bool usable = false;  // false: no update under these keys; `what` and `remedy` are for the user
  std::string what;
  std::string remedy;
};
// An error: no random bytes.
tl::expected<ManualStart, mip6::Error> start_with(const kernel::ManualKeys& keys, const ManualStore::Loaded& loaded);

// The record after the user has said that the keys were never used. An error: the record knows better.
tl::expected<ManualRecord, mip6::Error> taken_as_new(const kernel::ManualKeys& keys, const ManualStore::Loaded& loaded);

}  // namespace mnd
