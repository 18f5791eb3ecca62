// A new configuration beside the one that runs: what is to be done, decided without doing it.
#pragma once

#include <string>
#include <vector>

#include "examples/home-agent/config.hpp"

namespace mip6ha {

// By names of nodes. A node is its name and its home address: with another address it is removed and added.
struct Difference {
  std::vector<std::string> removed;  // of the former configuration
  std::vector<std::string> added;    // of the new one
  // Other keys, or made in another way. What the old ones protected is refused from now on.
  //
  // Their bindings stay until the new keys bring an update or the lifetime ends, where both the old keys and the new
  // ones are made by IKE: in RFC 6275 (section 10.3.1, 10.3.2) a binding ends with its lifetime, by de-registration or
  // with its prefix, not with the SA that protected its update, which RFC 4877 has renewed all the time; and a person
  // who changes a secret by habit loses no packet. Whoever changes it because somebody else had it ends the binding
  // with `ban` first.
  std::vector<std::string> changed;
  // Bindings of these end: manual keys count the sequence numbers anew, and the last one belongs to the binding; and a
  // payload that is to be protected from now on must not go on without.
  std::vector<std::string> replaced;
  bool prefixes = false;               // what is advertised of the home link: next-prefix, prefix-lifetime
  bool prefix_lifetime = false;        // that one, which counts anew then
  std::vector<std::string> restart;    // settings at the top that count only after a restart
  std::vector<std::string> home_link;  // those of them that say on which link we are: no node can be judged by them
};
Difference compare(const Config& before, const Config& after);

// What counts from now on: the nodes of `after`, the top of `before` but for what may change while we run.
Config merged(Config before, Config after);

}  // namespace mip6ha
