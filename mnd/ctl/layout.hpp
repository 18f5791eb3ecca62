// Text that fits a terminal of 80 columns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mnd/ctl/render.hpp"

namespace mip6ctl {

inline constexpr std::size_t kColumns = 80;
inline constexpr std::size_t kNameColumns = 14;  // of a row

inline constexpr std::string_view kGood = "\x1b[32m";
inline constexpr std::string_view kWaiting = "\x1b[33m";
inline constexpr std::string_view kBad = "\x1b[31m";

std::string coloured(std::string_view content, std::string_view colour, Colours colours);
// Broken between words; a word that is longer stays whole.
std::vector<std::string> wrapped(std::string_view content, std::size_t columns);
// A name and what is to be said of it, in as many lines as that takes.
std::string row(std::string_view name, std::string_view content, std::string_view colour = {},
                Colours colours = Colours::kOff);
std::string or_unknown(std::string content);

}  // namespace mip6ctl
