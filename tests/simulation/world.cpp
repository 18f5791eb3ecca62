// The journal. See world.hpp.
#include "tests/simulation/world.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace mip6::simulation {

std::string Party::name() const {
  switch (kind) {
    case Kind::kWorld:
      return "world";
    case Kind::kNode:
      return "node-" + std::to_string(index);
    case Kind::kAgent:
      return "agent-" + std::to_string(index);
    case Kind::kAttacker:
      return "attacker";
  }
  return "?";
}

void Journal::mix(std::uint64_t value) {
  for (int byte = 0; byte < 8; ++byte) hash_ = (hash_ ^ (value >> (8 * byte) & 0xff)) * 0x100000001b3u;
}

void Journal::note(Time time, Party party, const char* what, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  Line& line = lines_[count_++ % kKept];
  line = {time, party, what, {a, b, c}};
  mix(static_cast<std::uint64_t>(time.time_since_epoch().count()));
  mix(static_cast<std::uint64_t>(party.kind) << 8 | party.index);
  for (const char* character = what; *character != 0; ++character)
    hash_ = (hash_ ^ static_cast<unsigned char>(*character)) * 0x100000001b3u;
  for (const auto number : line.numbers) mix(number);
  if (print_) std::puts(text_of(line).c_str());
}

std::vector<std::string> Journal::last() const {
  std::vector<std::string> lines;
  for (auto at = count_ > kKept ? count_ - kKept : 0; at < count_; ++at) lines.push_back(text_of(lines_[at % kKept]));
  return lines;
}

std::string Journal::text_of(const Line& line) {
  const auto seconds = static_cast<double>(line.time.time_since_epoch() / 1us) / 1e6;
  return fmt::format("{:14.6f} {:9} {}", seconds, line.party.name(),
                     fmt::format(fmt::runtime(line.what), line.numbers[0], line.numbers[1], line.numbers[2]));
}

}  // namespace mip6::simulation
