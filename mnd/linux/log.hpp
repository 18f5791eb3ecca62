// The log of both daemons: one line per event on stderr, where systemd or the terminal takes it.
#pragma once

#include <string>
#include <string_view>

namespace mnd::kernel {

enum class Level { kError, kWarning, kInfo, kDebug };

// One line. Control characters (a peer may have chosen parts of the text) are written as '?'. In front stands the
// journal's priority mark where systemd reads stderr, else the level in words for errors and warnings. kDebug lines
// appear only with MND_DEBUG in the environment. No secrets and no key bytes at any level.
void log(Level level, std::string_view text);

// What log() writes, newline included.
std::string log_line(Level level, std::string_view text, bool journal);

}  // namespace mnd::kernel
