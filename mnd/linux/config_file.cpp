// See config_file.hpp. A line parser of our own: that of Boost.Program_options reports no line numbers.
#include "mnd/linux/config_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <system_error>

#include "mnd/linux/descriptor.hpp"
#include "mnd/linux/os_error.hpp"

namespace mnd::kernel {

namespace {

constexpr std::size_t kMaxFile = 1024 * 1024;
constexpr std::size_t kMaxMistakes = 50;  // of one file; nobody reads more

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\f\v";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

bool is_key(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

class Parser {
 public:
  explicit Parser(const std::string& file) : file_{file} {
    sections_.emplace_back();
    sections_.back().file = file;
  }

  void line(std::string_view raw) {
    ++line_;
    const auto text = trimmed(raw);
    if (text.empty() || text.front() == '#' || text.front() == ';' || mistakes_.size() >= kMaxMistakes) return;
    if (has_control_characters(text)) {
      mistake("the line contains control characters", "write plain text");
    } else if (text.front() == '[') {
      header(text);
    } else {
      setting(text);
    }
  }

  ConfigContent content() && { return {std::move(sections_), std::move(mistakes_)}; }

 private:
  void mistake(std::string what, std::string remedy) {
    mistakes_.push_back({.file = file_, .line = line_, .what = std::move(what), .remedy = std::move(remedy)});
  }

  // [kind] or [kind "argument"]
  void header(std::string_view text) {
    if (text.back() != ']') {
      mistake(fmt::format("'{}' has no closing bracket", text), "write [section] on a line of its own");
      return;
    }
    const auto name = trimmed(text.substr(1, text.size() - 2));
    ConfigSection section;
    section.name = std::string{name};
    section.file = file_;
    section.line = line_;
    const auto blank = name.find_first_of(" \t");
    section.kind = std::string{name.substr(0, blank)};
    if (blank != std::string_view::npos) {
      auto argument = trimmed(name.substr(blank));
      if (argument.size() >= 2 && argument.front() == '"' && argument.back() == '"')
        argument = argument.substr(1, argument.size() - 2);
      section.argument = std::string{argument};
    }
    if (!is_key(section.kind))
      mistake(fmt::format("'{}' is no section", text), "write [section] or [section \"name\"]");
    sections_.push_back(std::move(section));
  }

  void setting(std::string_view text) {
    const auto equals = text.find('=');
    const auto key = trimmed(text.substr(0, equals));
    if (equals == std::string_view::npos || !is_key(key)) {
      mistake(fmt::format("'{}' is neither a setting, nor a section, nor a comment", text),
              "write 'key = value', '[section]', or '# comment'");
      return;
    }
    auto& section = sections_.back();
    if (const auto* former = section.find(key)) {
      mistake(fmt::format("{}: given twice, before in line {}", key, former->line), "remove one of the two lines");
      return;
    }
    section.settings.push_back({.key = std::string{key},
                                .value = std::string{trimmed(text.substr(equals + 1))},
                                .file = file_,
                                .line = line_});
  }

  const std::string& file_;
  int line_ = 0;
  std::vector<ConfigSection> sections_;
  std::vector<ConfigMistake> mistakes_;
};

tl::expected<std::string, ConfigMistake> read_text(const std::filesystem::path& path) {
  const auto mistake = [&](int number) {
    const bool missing = number == ENOENT;
    return tl::unexpected(ConfigMistake{.file = path.string(),
                                        .line = 0,
                                        .what = fmt::format("cannot be read: {}", std::strerror(number)),
                                        .remedy = missing
                                                      ? "write it; five lines are enough, see mnd.conf(5)"
                                                      : remedy_for_reading(number, "make it a readable text file")});
  };
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file) return mistake(errno);
  std::string content;
  std::array<char, 4096> block{};
  for (;;) {
    const auto got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return mistake(errno);
    if (got == 0) return content;
    content.append(block.data(), static_cast<std::size_t>(got));
    if (content.size() > kMaxFile) return mistake(EFBIG);
  }
}

// folder/*.conf in order of name; a folder that is not there is empty.
tl::expected<std::vector<std::filesystem::path>, ConfigMistake> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator entry{folder, error};
  for (; !error && entry != std::filesystem::directory_iterator{}; entry.increment(error))
    if (entry->path().extension() == ".conf") files.push_back(entry->path());
  if (error && error != std::errc::no_such_file_or_directory)
    return tl::unexpected(
        ConfigMistake{.file = folder.string(),
                      .line = 0,
                      .what = "cannot be read: " + error.message(),
                      .remedy = remedy_for_reading(error.value(), "make it a readable folder, or remove it")});
  std::sort(files.begin(), files.end());
  return files;
}

void read_into(ConfigContent& all, const std::filesystem::path& file) {
  const auto text = read_text(file);
  if (!text) {
    all.mistakes.push_back(text.error());
    return;
  }
  auto content = parse_config_content(*text, file.string());
  std::move(content.sections.begin(), content.sections.end(), std::back_inserter(all.sections));
  std::move(content.mistakes.begin(), content.mistakes.end(), std::back_inserter(all.mistakes));
}

tl::expected<std::vector<ConfigSection>, std::vector<ConfigMistake>> sections_or_mistakes(ConfigContent content) {
  if (!content.mistakes.empty()) return tl::unexpected(std::move(content.mistakes));
  return std::move(content.sections);
}

}  // namespace

std::string ConfigMistake::to_string() const {
  auto text = line > 0 ? fmt::format("{}:{}: {}", file, line, what) : fmt::format("{}: {}", file, what);
  return remedy.empty() ? text : text + "; " + remedy;
}

const ConfigSetting* ConfigSection::find(std::string_view key) const {
  const auto found = std::find_if(settings.rbegin(), settings.rend(), [&](const auto& one) { return one.key == key; });
  return found == settings.rend() ? nullptr : &*found;
}

ConfigContent parse_config_content(std::string_view text, const std::string& name) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Parser parser{name};
  while (!text.empty()) {
    const auto end = text.find('\n');
    parser.line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return std::move(parser).content();
}

ConfigContent read_config_content(const std::filesystem::path& path) {
  ConfigContent all;
  read_into(all, path);
  auto folder = path;
  folder += ".d";
  auto more = read_config_folder(folder);
  std::move(more.sections.begin(), more.sections.end(), std::back_inserter(all.sections));
  std::move(more.mistakes.begin(), more.mistakes.end(), std::back_inserter(all.mistakes));
  return all;
}

ConfigContent read_config_folder(const std::filesystem::path& folder) {
  ConfigContent all;
  const auto files = files_in(folder);
  if (!files) {
    all.mistakes.push_back(files.error());
    return all;
  }
  for (const auto& file : *files) read_into(all, file);
  return all;
}

tl::expected<std::vector<ConfigSection>, std::vector<ConfigMistake>> parse_config(std::string_view text,
                                                                                  const std::string& name) {
  return sections_or_mistakes(parse_config_content(text, name));
}

tl::expected<std::vector<ConfigSection>, std::vector<ConfigMistake>> read_config(const std::filesystem::path& path) {
  return sections_or_mistakes(read_config_content(path));
}

}  // namespace mnd::kernel
