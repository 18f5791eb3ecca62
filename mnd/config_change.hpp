// A configuration as its user would write it, without secrets, and what it takes to go from one to another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmip6/address.hpp"
#include "mnd/config.hpp"

namespace mnd {

struct ShownSetting {
  std::string key;
  std::string value;
  bool operator==(const ShownSetting&) const = default;
};
struct ShownInterface {  // a section of mnd.conf(5)
  std::string pattern;
  std::optional<int> preference{};
  bool exclude = false;
  bool optimistic_dad = false;
  bool operator==(const ShownInterface&) const = default;
};
struct ShownConfig {
  std::vector<ShownSetting> settings;  // all that are in effect, defaults too, each once
  std::vector<ShownInterface> interfaces;
};
// Of secrets and keys the files' names.
ShownConfig shown(const Config& config);

enum class Effect : std::uint8_t {
  kNone,
  kAtOnce,
  kTakeOver,  // by a daemon that starts in this one's place, and goes on with what is in the kernel and in charon
  kAnew,      // by one that starts after this one has de-registered and taken down all that it has
};
struct ConfigChange {
  Effect effect = Effect::kNone;
  bool times = false;                // lifetime and what is like it
  bool credentials = false;          // what keys are agreed with
  std::vector<std::string> changed;  // keys, "interface" for all sections of interfaces
};
// `home_agent`: the one that serves, unspecified if none is known.
ConfigChange compare(const Config& from, const Config& to, const mip6::Ipv6Address& home_agent);

}  // namespace mnd
