#include "mnd/linux/config_file.hpp"

#include "tests/catch.hpp"
#include "tests/unit/as_nobody.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mnd::kernel;

namespace {

std::vector<std::string> mistakes_of(std::string_view text) {
  std::vector<std::string> lines;
  for (const auto& mistake : parse_config_content(text, "f").mistakes) lines.push_back(mistake.to_string());
  return lines;
}

}  // namespace

TEST_CASE("settings, comments and sections are read with their lines") {
  const auto sections = parse_config("# first\n a = 1 \n\n; second\nb=x = y\n[node \"lap top\"]\na =\n", "f");
  REQUIRE(sections);
  REQUIRE(sections->size() == 2);
  const auto& first = sections->at(0);
  CHECK((first.name.empty() && first.settings.size() == 2));
  CHECK(first.find("a")->value == "1");
  CHECK(first.find("a")->line == 2);
  CHECK(first.find("b")->value == "x = y");
  CHECK(first.find("c") == nullptr);
  const auto& second = sections->at(1);
  CHECK((second.name == "node \"lap top\"" && second.kind == "node" && second.argument == "lap top"));
  CHECK(second.line == 6);
  CHECK(second.find("a")->value.empty());
}

TEST_CASE("sections of the same name are kept apart, also with the same keys") {
  const auto sections = parse_config("[a]\nx = 1\n[a]\nx = 2\n", "f");
  REQUIRE(sections);
  CHECK(sections->size() == 3);
}

TEST_CASE("line ends of other systems and a byte order mark are no mistakes") {
  const auto sections = parse_config(
      "\xef\xbb\xbf"
      "a = 1\r\nb = 2",
      "f");
  REQUIRE(sections);
  CHECK(sections->at(0).find("a")->value == "1");
  CHECK(sections->at(0).find("b")->value == "2");
}

TEST_CASE("every mistake is told with file, line and remedy, all at once") {
  const auto mistakes = mistakes_of("word\n= 1\n[open\n[]\na = 1\na = 2\nb = \x01\nsome key = 1\n");
  CHECK(mistakes.size() == 7);
  CHECK(mistakes.at(0) ==
        "f:1: 'word' is neither a setting, nor a section, nor a comment; write 'key = value', '[section]', or "
        "'# comment'");
  CHECK(mistakes.at(4) == "f:6: a: given twice, before in line 5; remove one of the two lines");
  CHECK(mistakes.at(5).find("\x01") == std::string::npos);
}

TEST_CASE("a file of nothing but mistakes does not fill the screen for ever") {
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "word\n";
  CHECK(mistakes_of(text).size() == 50);
}

TEST_CASE("drop-in files are read after the file, in order of name") {
  const TemporaryFolder folder;
  const auto path = folder.file("mnd.conf", "a = 1\n");
  folder.file("mnd.conf.d/20-b.conf", "a = 3\n");
  folder.file("mnd.conf.d/10-a.conf", "a = 2\n");
  folder.file("mnd.conf.d/10-a.conf.bak", "a = 4\n");
  const auto sections = read_config(path);
  REQUIRE(sections);
  REQUIRE(sections->size() == 3);
  CHECK(sections->at(1).find("a")->value == "2");
  CHECK(sections->at(2).find("a")->value == "3");
  CHECK(sections->at(2).find("a")->file == (folder / "mnd.conf.d/20-b.conf").string());
}

TEST_CASE("a file that cannot be read is a mistake with a remedy") {
  const TemporaryFolder folder;
  const auto missing = read_config(folder / "none");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().at(0).to_string().find("cannot be read: No such file") != std::string::npos);
  CHECK_FALSE(missing.error().at(0).remedy.empty());
  CHECK_FALSE(read_config(folder.path()));
}

TEST_CASE("who may not read a configuration is told as whom it works") {
  const TemporaryFolder folder;
  const auto path = folder.file("mnd.conf", "a = 1\n", 0);
  folder.file("mnd.conf.d/x.conf", "b = 1\n", 0);
  const AsNobody user{folder.path()};
  const auto content = read_config_content(path);
  REQUIRE(content.mistakes.size() == 2);
  for (const auto& mistake : content.mistakes) {
    CHECK(mistake.what == "cannot be read: Permission denied");
    CHECK(mistake.remedy.find("member of the group mnd") != std::string::npos);
  }
}
