// Catches what is written to a standard stream.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

#include "tests/catch.hpp"

// What goes to the standard output, or the other one, while `run` runs.
template <typename Run>
std::string printed(Run run, int output = STDOUT_FILENO) {
  std::fflush(stdout);
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const int kept = ::dup(output);
  ::dup2(::fileno(file), output);
  run();
  std::fflush(stdout);
  ::dup2(kept, output);
  ::close(kept);
  std::rewind(file);
  std::string text;
  for (int one = std::fgetc(file); one != EOF; one = std::fgetc(file)) text += static_cast<char>(one);
  std::fclose(file);
  return text;
}
