// Proposals word by word: what is known to be good passes, what is known to be weak is refused with its reason, all
// else as unknown (RFC 8221 and RFC 8247 have the judgements).
#include "ike-glue/method.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace ike {
namespace {

using mip6::Error;

constexpr std::size_t kMostProposals = 8;  // IKE_SA_INIT cannot be fragmented by IKE and has to fit 1280 bytes
constexpr std::size_t kLeastSecret = 20;   // characters that can be guessed offline

enum class Kind { kCipher, kAead, kIntegrity, kPrf, kGroup, kNumbers };

struct Known {
  std::string_view word;
  Kind kind;
};
constexpr std::array kKnown{
    Known{"aes128", Kind::kCipher},      Known{"aes192", Kind::kCipher},
    Known{"aes256", Kind::kCipher},      Known{"aes128ctr", Kind::kCipher},
    Known{"aes192ctr", Kind::kCipher},   Known{"aes256ctr", Kind::kCipher},
    Known{"camellia128", Kind::kCipher}, Known{"camellia192", Kind::kCipher},
    Known{"camellia256", Kind::kCipher}, Known{"aes128gcm16", Kind::kAead},
    Known{"aes192gcm16", Kind::kAead},   Known{"aes256gcm16", Kind::kAead},
    Known{"aes128ccm16", Kind::kAead},   Known{"aes192ccm16", Kind::kAead},
    Known{"aes256ccm16", Kind::kAead},   Known{"chacha20poly1305", Kind::kAead},
    Known{"sha1", Kind::kIntegrity},     Known{"sha256", Kind::kIntegrity},
    Known{"sha384", Kind::kIntegrity},   Known{"sha512", Kind::kIntegrity},
    Known{"aesxcbc", Kind::kIntegrity},  Known{"aescmac", Kind::kIntegrity},
    Known{"prfsha1", Kind::kPrf},        Known{"prfsha256", Kind::kPrf},
    Known{"prfsha384", Kind::kPrf},      Known{"prfsha512", Kind::kPrf},
    Known{"prfaesxcbc", Kind::kPrf},     Known{"prfaescmac", Kind::kPrf},
    Known{"modp2048", Kind::kGroup},     Known{"modp3072", Kind::kGroup},
    Known{"modp4096", Kind::kGroup},     Known{"modp6144", Kind::kGroup},
    Known{"ecp256", Kind::kGroup},       Known{"ecp384", Kind::kGroup},
    Known{"ecp521", Kind::kGroup},       Known{"ecp256bp", Kind::kGroup},
    Known{"ecp384bp", Kind::kGroup},     Known{"ecp512bp", Kind::kGroup},
    Known{"x25519", Kind::kGroup},       Known{"x448", Kind::kGroup},
    Known{"esn", Kind::kNumbers},        Known{"noesn", Kind::kNumbers},
};

struct Weak {
  std::string_view word;
  std::string_view reason;
};
constexpr std::string_view kSmallBlocks = "has blocks of 64 bits";
constexpr std::string_view kNothingHidden = "does not encrypt";
constexpr std::string_view kMd5 = "is MD5, which is broken";
constexpr std::string_view kSmallGroup = "is a group of less than 2048 bits";
constexpr std::string_view kSmallCurve = "is a curve of less than 256 bits";
constexpr std::string_view kMadeGroup = "is a group of RFC 5114, whose primes may have a trapdoor";
constexpr std::string_view kNoExchange = "is no key exchange";
constexpr std::array kWeak{
    Weak{"des", "has keys of 56 bits"},
    Weak{"3des", kSmallBlocks},
    Weak{"cast128", kSmallBlocks},
    Weak{"blowfish", kSmallBlocks},
    Weak{"blowfish128", kSmallBlocks},
    Weak{"blowfish192", kSmallBlocks},
    Weak{"blowfish256", kSmallBlocks},
    Weak{"null", kNothingHidden},
    Weak{"aes128gmac", kNothingHidden},
    Weak{"aes192gmac", kNothingHidden},
    Weak{"aes256gmac", kNothingHidden},
    Weak{"md5", kMd5},
    Weak{"md5_128", kMd5},
    Weak{"prfmd5", kMd5},
    Weak{"sha256_96", "is cut to 96 bits in a way no standard has"},
    Weak{"modp768", kSmallGroup},
    Weak{"modp1024", kSmallGroup},
    Weak{"modp1536", kSmallGroup},
    Weak{"modp1024s160", kSmallGroup},
    Weak{"modp2048s224", kMadeGroup},
    Weak{"modp2048s256", kMadeGroup},
    Weak{"ecp192", kSmallCurve},
    Weak{"ecp224", kSmallCurve},
    Weak{"ecp224bp", kSmallCurve},
    Weak{"none", kNoExchange},
    Weak{"modpnone", kNoExchange},
    Weak{"modpnull", kNoExchange},
    // not weak, but IKE_SA_INIT with its public value does not fit a link of MTU 1280
    Weak{"modp8192", "makes the first packet larger than every IPv6 link carries"},
};

Error refused(std::string reason, std::string remedy) {
  return Error{.tried = "read the proposals", .reason = std::move(reason), .remedy = std::move(remedy)};
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::string part;
  std::istringstream stream{std::string{text}};
  while (std::getline(stream, part, separator)) parts.push_back(part);
  return parts;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::istringstream stream{std::string{text}};
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

const auto* find(const auto& table, std::string_view word) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const auto& one) { return one.word == word; });
  return found == table.end() ? nullptr : &*found;
}

std::string words_of(Kind kind) {
  std::string text;
  for (const auto& one : kKnown)
    if (one.kind == kind) text += (text.empty() ? "" : ", ") + std::string{one.word};
  return text;
}

std::optional<Error> judge(std::string_view word) {
  // A tag of 64 or 96 bits: gcm8, gcm12, ccm64, ...
  for (const std::string_view mode : {"gcm", "ccm"})
    for (const std::string_view tag : {"8", "12", "64", "96"})
      if (word.ends_with(std::string{mode} + std::string{tag}))
        return refused(fmt::format("'{}' has a check value of less than 128 bits", word),
                       fmt::format("write {}16", word.substr(0, word.size() - tag.size())));
  if (const auto* weak = find(kWeak, word))
    return refused(fmt::format("'{}' {}", word, weak->reason),
                   "leave it out; aes128-sha256-x25519 is a good proposal for IKE, aes128-sha256 for ESP");
  if (!find(kKnown, word))
    return refused(fmt::format("'{}' is no algorithm that is known here", word),
                   fmt::format("ciphers are {}, {}; integrity {}; groups {}", words_of(Kind::kCipher),
                               words_of(Kind::kAead), words_of(Kind::kIntegrity), words_of(Kind::kGroup)));
  return std::nullopt;
}

// One proposal, its algorithms by kind.
class Proposal {
 public:
  static tl::expected<Proposal, Error> parse(const std::string& text) {
    Proposal proposal;
    proposal.text_ = text;
    for (const auto& word : split(text, '-')) {
      if (auto error = judge(word)) return tl::unexpected(std::move(*error));
      proposal.words_.push_back(*find(kKnown, word));
    }
    return proposal;
  }

  std::optional<Error> check(ProposalUse use, IkeVersion version) const {
    const bool for_ike = use == ProposalUse::kIke;
    if (count(Kind::kCipher) + count(Kind::kAead) == 0)
      return wrong("has no cipher", fmt::format("begin it with one of {}", words_of(Kind::kCipher)));
    if (count(Kind::kCipher) > 0 && count(Kind::kAead) > 0)
      return wrong("mixes ciphers with and without a check value of their own", "make two proposals of it");
    if (count(Kind::kCipher) > 0 && count(Kind::kIntegrity) == 0)
      return wrong("has no integrity: whoever changes packets on the way would not be noticed",
                   fmt::format("add one of {}", words_of(Kind::kIntegrity)));
    if (for_ike && count(Kind::kGroup) == 0)
      return wrong("has no key exchange", fmt::format("add one of {}", words_of(Kind::kGroup)));
    if (for_ike && count(Kind::kIntegrity) + count(Kind::kPrf) == 0)
      return wrong("does not say how keys are derived", fmt::format("add one of {}", words_of(Kind::kPrf)));
    if (!for_ike && count(Kind::kPrf) > 0) return wrong("derives keys, which ESP does not", "leave out prf...");
    if (for_ike && count(Kind::kNumbers) > 0) return wrong("is for IKE, esn is of ESP", "leave out esn, noesn");
    return version == IkeVersion::kV1 ? check_v1(for_ike) : std::nullopt;
  }

  std::string group() const {
    const auto found = std::find_if(words_.begin(), words_.end(), [](const auto& w) { return w.kind == Kind::kGroup; });
    return found == words_.end() ? std::string{} : std::string{found->word};
  }

 private:
  std::optional<Error> check_v1(bool for_ike) const {
    for (const auto kind : {Kind::kCipher, Kind::kAead, Kind::kIntegrity, Kind::kPrf, Kind::kGroup})
      if (count(kind) > 1)
        // charon would send the first of them, silently
        return wrong("has a choice within, which IKEv1 cannot express", "write a proposal for each combination");
    if (has("chacha20poly1305") || (for_ike && count(Kind::kAead) > 0))
      return wrong("has a cipher that IKEv1 does not have", "write aes128 or aes256 with sha256");
    if (has("x25519") || has("x448")) return wrong("has a group that IKEv1 does not have", "write ecp256 or modp2048");
    if (for_ike && (has("aesxcbc") || has("aescmac") || count(Kind::kPrf) > 0))
      return wrong("derives keys in a way that IKEv1 does not have", "write sha256, sha384 or sha512");
    return std::nullopt;
  }

  long count(Kind kind) const {
    return std::count_if(words_.begin(), words_.end(), [&](const auto& one) { return one.kind == kind; });
  }
  bool has(std::string_view word) const {
    return std::any_of(words_.begin(), words_.end(), [&](const auto& one) { return one.word == word; });
  }
  Error wrong(std::string_view what, std::string remedy) const {
    return refused(fmt::format("'{}' {}", text_, what), std::move(remedy));
  }

  std::string text_;
  std::vector<Known> words_;
};

}  // namespace

Method default_method(IkeVersion version) {
  static const Method kV2{.version = IkeVersion::kV2,
                          .ike_proposals = {"aes128-aes256-sha256-x25519-ecp256"},
                          .esp_proposals = {"aes128-sha256", "aes256-sha256"},
                          .signature_hashes = {"sha256", "sha384", "sha512"}};
  if (version == IkeVersion::kV2) return kV2;
  Method method = kV2;
  method.version = version;
  // One group: aggressive mode cannot offer another. Who has nothing but IKEv1 has this one.
  method.ike_proposals = {"aes128-sha256-modp2048", "aes256-sha256-modp2048"};
  return method;
}

std::string_view name_of(IkeVersion version) { return version == IkeVersion::kV1 ? "ikev1" : "ikev2"; }

tl::expected<std::vector<std::string>, Error> parse_proposals(std::string_view text, ProposalUse use,
                                                              IkeVersion version, bool aggressive) {
  const auto proposals = words_of(text);
  if (proposals.empty()) return tl::unexpected(refused("is empty", "leave the line out for the default"));
  if (proposals.size() > kMostProposals)
    return tl::unexpected(refused(fmt::format("has more than {} proposals", kMostProposals),
                                  "keep the best: all of them are in one packet that cannot be fragmented"));
  std::string group;
  for (const auto& one : proposals) {
    const auto proposal = Proposal::parse(one);
    if (!proposal) return tl::unexpected(proposal.error());
    if (auto error = proposal->check(use, version)) return tl::unexpected(std::move(*error));
    if (!aggressive || use != ProposalUse::kIke) continue;
    if (!group.empty() && group != proposal->group())
      return tl::unexpected(
          refused(fmt::format("has {} and {}, but aggressive mode begins with a public value of one group", group,
                              proposal->group()),
                  "give all proposals the same group"));
    group = proposal->group();
  }
  return proposals;
}

tl::expected<std::vector<std::string>, Error> parse_signature_hashes(std::string_view text) {
  constexpr std::array<std::string_view, 3> kGood{"sha256", "sha384", "sha512"};
  const auto hashes = words_of(text);
  if (hashes.empty()) return tl::unexpected(refused("is empty", "leave the line out for the default"));
  for (const auto& hash : hashes) {
    const bool weak = hash == "md5" || hash == "sha1" || hash == "sha224";
    if (std::find(kGood.begin(), kGood.end(), hash) == kGood.end())
      return tl::unexpected(
          refused(fmt::format("'{}' {}", hash, weak ? "is too weak for signatures" : "is no hash that is known here"),
                  "write one or more of sha256 sha384 sha512, with blanks between"));
  }
  return hashes;
}

std::optional<Error> check_method(IkeVersion version, const std::optional<std::string>& secret, bool consent) {
  const bool aggressive = version == IkeVersion::kV1 && secret;
  if (!aggressive && consent)
    return refused(fmt::format("'{}' is of use only with keying = ikev1 and a secret", kConsentKey),
                   "remove the line: consent should not lie about");
  if (!aggressive) return std::nullopt;
  if (!consent)
    return refused(
        "IKEv1 with a secret: main mode would look for the secret by the node's address, which changes (RFC 6275 "
        "section 15.3), and aggressive mode lets whoever asks or listens guess it offline",
        fmt::format(
            "write 'keying = ikev2' or use certificates; where the home agent has nothing else, write '{} = {}' "
            "here and there",
            kConsentKey, kConsentValue));
  if (secret->size() < kLeastSecret)
    return refused(fmt::format("the secret has less than {} characters, and aggressive mode lets it be guessed offline",
                               kLeastSecret),
                   "make a random one: 'openssl rand -base64 24'");
  return std::nullopt;
}

// RFC 7296 section 2.15: who poses as the peer gets what secrets can be tried on, without asking again.
std::optional<mip6::Error> objection_to_secret(std::string_view secret) {
  constexpr std::size_t kShort = 16;
  if (secret.size() >= kShort) return std::nullopt;
  return mip6::Error{.reason = fmt::format("the secret has fewer than {} characters: who gets between node and home "
                                           "agent can try until it is found",
                                           kShort),
                     .remedy =
                         "take a random one, the same here and at the home agent: openssl rand -base64 24; "
                         "mip6-ha rotate makes one"};
}

}  // namespace ike
