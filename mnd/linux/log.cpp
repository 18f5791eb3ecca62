// Lines of the log, each written with one system call so that those of several processes do not mix.
#include "mnd/linux/log.hpp"

#include <unistd.h>

#include <cstdlib>

namespace mnd::kernel {
namespace {

std::string_view mark_of(Level level, bool journal) {
  switch (level) {
    case Level::kError:
      return journal ? "<3>" : "error: ";
    case Level::kWarning:
      return journal ? "<4>" : "warning: ";
    case Level::kInfo:
      return journal ? "<6>" : "";
    case Level::kDebug:
      return journal ? "<7>" : "debug: ";
  }
  return "";
}

}  // namespace

std::string log_line(Level level, std::string_view text, bool journal) {
  std::string line{mark_of(level, journal)};
  line.reserve(line.size() + text.size() + 1);
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    line += byte < 0x20 || byte == 0x7f ? '?' : character;
  }
  line += '\n';
  return line;
}

void log(Level level, std::string_view text) {
  static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  static const bool debug = std::getenv("MND_DEBUG") != nullptr;
  if (level == Level::kDebug && !debug) return;
  const std::string line = log_line(level, text, journal);
  // A log that cannot be written is nowhere to be reported.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace mnd::kernel
