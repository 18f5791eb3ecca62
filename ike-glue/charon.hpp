// What both keying cores say to charon and read from it: requests built from descriptions, IKE_SAs read from events and
// listings (swanctl.conf(5) for the keys; facts of the event layout are at the functions). No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ike-glue/children.hpp"
#include "ike-glue/keying.hpp"

namespace ike {

// A connection whose CHILD_SAs protect what a node and its home agent say to each other (RFC 4877): IKE between `local`
// and `remote`.
struct Connection {
  std::string name;
  std::string local;   // IKE address
  std::string remote;  // IKE address, or "%any"
  std::vector<Child> children;
  std::chrono::seconds ike_rekey{};
  std::chrono::seconds dpd_delay{};  // zero: does not ask
};
Section load_conn(const Connection& connection, const Credentials& credentials);
// What charon has to be told before load_conn, in this order; `id` begins the name of all that has one.
struct CredentialRequest {
  std::string command;
  Section message;
  std::string_view what;  // "the secret"
};
std::vector<CredentialRequest> load_credentials(const std::string& id, const Credentials& credentials);
// How to take it out again. Private keys have no name: charon answers load-key with the id to unload. CA certificates
// are authorities, those of get-authorities whose name is_authority. Our own certificate comes with load_conn, and
// charon (seen: 5.9.8) keeps it, and CRLs, until it is told to forget all certificates or ends.
Section load_key(const Certificate& certificate);
bool is_authority(std::string_view name, const std::string& id);
Section initiate(const std::string& name, ChildKind child);
Section terminate_by_id(std::uint64_t uniqueid, bool force);
Section terminate_child(std::uint64_t id);
Section terminate_by_name(const std::string& name);  // by force; only where a name is used for one IKE_SA
// Answered at once with yes; child-rekey or ike-rekey tells that it is done.
Section rekey_child(std::uint64_t ike_uniqueid, ChildKind child);
Section rekey_ike(std::uint64_t uniqueid);
Section named(std::string_view key, const std::string& value);

// One CHILD_SA and its IKE_SA as an event or listing tells them. Absent or nonsense values are left empty or zero.
struct IkeSa {
  std::string name;
  std::uint64_t uniqueid = 0;
  std::string state;
  std::optional<mip6::Ipv6Address> local = {};
  std::optional<mip6::Ipv6Address> remote = {};
  std::string remote_id = {};
  bool child_installed = false;  // the child with the reqid asked for is INSTALLED or being rekeyed
  std::uint32_t spi_in = 0;      // of that child, in any state
  std::uint32_t spi_out = 0;
  // IKEv1 renews phase 1 by a new IKE_SA of the same connection between the same hosts, which takes over the CHILD_SAs.
  // charon tells no more of it than ike-updown, for both.
  bool first_version = false;
  std::chrono::seconds age{};        // of the IKE_SA's keys
  std::chrono::seconds child_age{};  // of the child's
};
// From ike-updown, child-updown and list-sa. Empty if there is no section of an IKE_SA.
std::optional<IkeSa> read_ike_sa(const Section& message, std::uint32_t reqid);
// Section child-sas of the same; null if there is none.
const Section* children_of(const Section& message);
bool is_up(const Section& message);  // `up = yes`; absent when down

// Why an IKE_SA came to its end, from the ike-updown that says so: by its state, and the exchanges it was in.
enum class Closing {
  kUnknown,
  kByPeer,
  kHere,    // by charon itself or whoever asked it to
  kSilent,  // the peer did not answer an exchange
};
Closing read_closing(const Section& message);

struct IkeRekeyed {
  std::string name;
  std::uint64_t old_uniqueid = 0;
  std::uint64_t uniqueid = 0;
};
std::optional<IkeRekeyed> read_ike_rekey(const Section& message);

struct ChildRekeyed {
  std::uint64_t ike_uniqueid = 0;
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
};
std::optional<ChildRekeyed> read_child_rekey(const Section& message, std::uint32_t reqid);

// `success = no`, with errmsg; empty if the answer says yes or says nothing.
std::optional<std::string> refusal(const Response& response);

// What a disconnection means for the user.
Trouble trouble_of(const mip6::Error& why);

bool same_identity(const std::string& one, const std::string& other);  // addresses by value, all else as text

}  // namespace ike
