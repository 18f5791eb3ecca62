// Fuzz target: any bytes as what a user or charon says about keys: a bundle of certificates, proposals, hashes, a line
// of charon's log. What is refused has reason and remedy without the private key; what is taken is taken again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ike-glue/credentials.hpp"
#include "ike-glue/reasons.hpp"

using namespace ike;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += word + " ";
  return text;
}

void proposals(std::string_view text) {
  for (const auto use : {ProposalUse::kIke, ProposalUse::kEsp})
    for (const auto version : {IkeVersion::kV1, IkeVersion::kV2}) {
      const auto parsed = parse_proposals(text, use, version, true);
      if (!parsed) {
        require(!parsed.error().reason.empty() && !parsed.error().remedy.empty());
        continue;
      }
      for (const auto& one : *parsed)
        for (const std::string_view weak : {"des", "md5", "null", "modp1024", "modp1536", "gmac"})
          require(one.find(weak) == std::string::npos);
      require(*parse_proposals(joined(*parsed), use, version, true) == *parsed);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto bundle = parse_certificate(text);
  if (bundle)
    require(!bundle->private_key.empty() && !bundle->own.empty() && !bundle->authorities.empty());
  else
    require(!bundle.error().reason.empty() && !bundle.error().remedy.empty());
  proposals(text);
  if (const auto hashes = parse_signature_hashes(text)) require(*parse_signature_hashes(joined(*hashes)) == *hashes);
  if (read_reason(text, 1795000000)) require(in_charons_words(text).size() < 200);
  return 0;
}
