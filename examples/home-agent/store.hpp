// What the home agent must not forget, whatever crashes: each node's reqid, each home address's binding and last
// accepted sequence number. A database in the state directory; every call that changes something returns after the
// change is on the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/agent/both_clocks.hpp"
#include "libmip6/agent/home_agent.hpp"
#include "libmip6/error.hpp"
#include "mnd/linux/boot_timer.hpp"
#include "mnd/linux/key_record.hpp"

namespace mip6ha {

struct BanEnd {  // of one that ends by itself
  mip6::agent::EndOnBothClocks at;
  std::uint32_t strikes = 1;  // see mip6::agent::BanNode
  bool operator==(const BanEnd&) const = default;
};

struct StoredBan {
  std::string name;  // of the node
  std::string why;
  std::int64_t since = 0;  // seconds since 1970
  std::optional<BanEnd> end{};
  bool operator==(const StoredBan&) const = default;
};

struct StoredNode {
  std::string name;
  mip6::Ipv6Address home_address;
  std::uint32_t reqid = 0;
  bool operator==(const StoredNode&) const = default;
};

// Keys set by hand, without the keys: which they are, and whether it is known what they have seen.
struct ManualKeyState {
  mnd::kernel::KeyRecord keys;
  // False: there was no record when they came, and so nobody knows which updates they have carried.
  bool numbers_known = false;
  bool used = false;      // since the keys came a binding was stored; set by the store itself
  bool restored = false;  // the record came back with a backup, and no start has looked at it since
  bool operator==(const ManualKeyState&) const = default;
};

class Store {
 public:
  // Opens `directory`/agent.db; makes folder (0700) and database if they are missing. Errors, all with a remedy: not
  // permitted, in use by another mip6-ha, not a database, damaged or empty (it never starts again at zero by itself),
  // of a newer version. `boot_id` says which boot the times on the boot clock are of; empty: not known, the wall clock
  // alone counts.
  static tl::expected<std::unique_ptr<Store>, mip6::Error> open(const std::filesystem::path& directory,
                                                                const std::string& boot_id = mnd::kernel::boot_id());
  // Puts a copy of `backup`, made by copy_to() at any time, in place of `directory`/agent.db, which is kept beside as
  // agent.db.replaced and may be damaged or missing. Reqids and the history of manual keys are taken over. Its sequence
  // numbers are of the past and not trusted: bindings and last numbers are left out, and manual keys are marked as
  // restored. Errors, all with a remedy: a mip6-ha has the present database open, the backup is not one of ours,
  // damaged or of a newer version (the present database is there unchanged then), not permitted, no room.
  static tl::expected<void, mip6::Error> restore(const std::filesystem::path& directory,
                                                 const std::filesystem::path& backup);
  virtual ~Store() = default;

  // The reqid of the node with this name, the same for ever: a new name gets the next one that was never given. A
  // changed home address is taken note of.
  virtual tl::expected<std::uint32_t, mip6::Error> reqid_of(const std::string& name,
                                                            const mip6::Ipv6Address& home_address) = 0;
  // The same for many (StoredNode::reqid is not looked at), in their order; with one sync for all that are new.
  virtual tl::expected<std::vector<std::uint32_t>, mip6::Error> reqids_of(const std::vector<StoredNode>& nodes) = 0;
  // All that ever had a reqid, in the order of reqids.
  virtual tl::expected<std::vector<StoredNode>, mip6::Error> nodes() = 0;

  // Nodes that are refused by name, whether they are configured or not, in the order of names. Banning again replaces.
  virtual tl::expected<std::vector<StoredBan>, mip6::Error> bans() = 0;
  virtual tl::expected<void, mip6::Error> ban(const StoredBan& ban) = 0;
  virtual tl::expected<void, mip6::Error> unban(const std::string& name) = 0;  // none: fine

  // One record for each home address: saving replaces the former, the last one of several for the same stays. All of
  // them or none, with one sync of the disk however many they are (some calls of a thousand have more: the first, and
  // those that move the log into the database). An error means that nothing can be promised; the next call tries again.
  virtual tl::expected<void, mip6::Error> save(const std::vector<mip6::agent::BindingRecord>& records) = 0;
  virtual tl::expected<std::vector<mip6::agent::BindingRecord>, mip6::Error> records() = 0;
  virtual tl::expected<bool, mip6::Error> has_record(const mip6::Ipv6Address& home_address) = 0;

  // Of a home address with manual keys. Empty: it never had any here.
  virtual tl::expected<std::optional<ManualKeyState>, mip6::Error> manual_keys(
      const mip6::Ipv6Address& home_address) = 0;
  // What these keys have seen: nothing yet; it is not known; updates, it is not known which.
  enum class Numbers { kUnused, kUnknown, kSeen };
  // Replaces it, and forgets the home address's binding and last number: they belonged to other keys. One transaction.
  virtual tl::expected<void, mip6::Error> begin_manual_keys(const mip6::Ipv6Address& home_address,
                                                            const mnd::kernel::KeyRecord& keys, Numbers numbers) = 0;
  // The home address has keys by IKE now, whose updates its last number counts: what its manual keys have seen is known
  // no longer. Nothing if it never had any.
  virtual tl::expected<void, mip6::Error> leave_manual_keys(const mip6::Ipv6Address& home_address) = 0;

  // Writes all of this into one new file (0600) for restore(), complete or not at all; one that is there is replaced.
  virtual tl::expected<void, mip6::Error> copy_to(const std::filesystem::path& file) = 0;
  // What restore() does, while this is open: in one transaction, and what was there is copied to agent.db.replaced
  // before. Errors: those of restore(); nothing has changed then.
  virtual tl::expected<void, mip6::Error> take_back(const std::filesystem::path& backup) = 0;
};

}  // namespace mip6ha
