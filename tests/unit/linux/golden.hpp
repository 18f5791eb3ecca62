// Netlink messages written down: header values and a payload in hexadecimal, where "00*12" is twelve times that byte.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <string>

#include "libmip6/address.hpp"
#include "mnd/linux/netlink.hpp"

namespace golden {

inline mip6::Ipv6Address address(const char* text) {
  const auto parsed = mip6::Ipv6Address::parse(text);
  if (!parsed) throw std::invalid_argument(text);
  return *parsed;
}

inline std::vector<std::uint8_t> hex(const std::string& text) {
  std::vector<std::uint8_t> bytes;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const auto star = word.find('*');
    if (star != std::string::npos) {
      const auto count = std::stoul(word.substr(star + 1));
      if (count > 256) throw std::invalid_argument(word);
      bytes.insert(bytes.end(), count, static_cast<std::uint8_t>(std::stoul(word.substr(0, star), nullptr, 16)));
      continue;
    }
    if (word.size() % 2 != 0) throw std::invalid_argument(word);
    for (std::size_t i = 0; i < word.size(); i += 2) {
      bytes.push_back(static_cast<std::uint8_t>(std::stoul(word.substr(i, 2), nullptr, 16)));
    }
  }
  return bytes;
}

// `flags` beside NLM_F_REQUEST.
inline mnd::kernel::NetlinkMessage message(std::uint16_t type, std::uint16_t flags, const std::string& payload) {
  const auto bytes = hex(payload);
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + bytes.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  mnd::kernel::NetlinkMessage whole(sizeof header);
  std::memcpy(whole.data(), &header, sizeof header);
  whole.insert(whole.end(), bytes.begin(), bytes.end());
  return whole;
}

}  // namespace golden
