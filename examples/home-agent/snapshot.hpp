// What `mip6-ha status` and `list` show, as values, and their JSON and text.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "examples/home-agent/figures.hpp"
#include "libmip6/address.hpp"
#include "libmip6/error.hpp"

namespace mip6ha {

// Service refused by name, until it is lifted.
struct Ban {
  std::int64_t since = 0;  // seconds since 1970
  std::string why;         // as the operator said, or nothing
  bool operator==(const Ban&) const = default;
};

struct BindingView {
  std::string name;
  mip6::Ipv6Address home_address;
  std::optional<mip6::Ipv6Address> care_of;  // empty: no binding
  std::int64_t lifetime_left = 0;            // seconds
  std::optional<std::uint16_t> sequence;     // last accepted; empty: never registered
  bool key_mobility = false;
  bool keys_up = false;  // there is an SA pair for it
  bool manual_keys = false;
  std::uint64_t refused = 0;  // updates of it, with or without an answer
  std::string payload{};      // how far its payload is protected; empty: it is not to be
  std::optional<Ban> ban{};
};

struct TroubleView {
  std::string what;
  std::string remedy;
};
TroubleView trouble_of(mip6::Error error);

// Each call gives some more of all nodes, banned ones too, in the order of the configuration; nothing: those were all.
using Bindings = std::function<std::vector<BindingView>()>;

// All but the bindings, which may be very many.
struct Snapshot : Figures {
  mip6::Ipv6Address address;
  std::string interface;
  bool charon_needed = true;                                   // false: all nodes have manual keys
  std::map<std::string, std::uint64_t> offences;               // of nodes that behave ill, by kind
  std::map<mip6::Ipv6Address, std::uint16_t> listed_agents{};  // others on the home link by now, with preference
  std::set<mip6::Ipv6Address> other_agents{};                  // that were ever seen there
  std::uint64_t requests_answered = 0;                         // of who asked for home agents
  std::uint64_t sent_again = 0;                                // acknowledgements whose SA went meanwhile
  std::vector<TroubleView> warnings;                           // what works, but is dangerous
  std::optional<TroubleView> trouble;                          // the last one
  std::vector<TroubleView> advice;                             // what could be better, and nodes that are refused
};

// A member of an answer as text, whatever it is: strings without quotes, null as "-", missing as "?".
std::string shown(const nlohmann::json& object, const char* key);
// Seconds since 1970 as "2026-01-31T12:00:00Z".
std::string utc(std::int64_t unix_time);

nlohmann::json binding_json(const BindingView& binding);
// Without "bindings": those follow piece by piece.
nlohmann::json status_json(const Snapshot& snapshot);
// From the JSON, as it came over the control socket: whatever is missing or of another type is shown as "?".
std::string status_text(const nlohmann::json& status);
std::string list_text(const nlohmann::json& list);

}  // namespace mip6ha
