// A PEM bundle to its parts: blocks (RFC 7468), and as much of a certificate's DER as tells who issued it to whom
// (RFC 5280 section 4.1) and which names it has (section 4.2.1.6).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "ike-glue/credentials.hpp"
#include "libmip6/address.hpp"

namespace ike {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kDashes = "-----";
constexpr std::array<std::string_view, 3> kKeyLabels{"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"};
constexpr std::string_view kOrder = "the file has the private key, our certificate, then the CA certificates";

tl::unexpected<mip6::Error> unreadable(std::string reason, std::string remedy) {
  return tl::unexpected(
      mip6::Error{.tried = "read the certificate bundle", .reason = std::move(reason), .remedy = std::move(remedy)});
}

// --- PEM ---

struct Block {
  std::string_view label;
  std::string_view content;  // between the lines BEGIN and END
  std::string_view whole;
};

// Takes the next block off `rest`; an empty optional at the end, an error if it does not end itself.
tl::expected<std::optional<Block>, mip6::Error> next_block(std::string_view& rest) {
  const auto begin = rest.find(kBegin);
  if (begin == std::string_view::npos) return std::optional<Block>{};
  const auto label = rest.substr(begin + kBegin.size());
  const auto label_end = label.find(kDashes);
  const auto name = label.substr(0, label_end);
  if (label_end == std::string_view::npos || name.find('\n') != std::string_view::npos)
    return unreadable("a line '-----BEGIN' does not end with '-----'", std::string(kOrder));
  const auto last_line = fmt::format("-----END {}-----", name);
  const auto content = label.substr(label_end + kDashes.size());
  const auto end = content.find(last_line);
  // The end that is found must not be that of a later block of the same kind.
  if (end == std::string_view::npos || content.substr(0, end).find(kBegin) != std::string_view::npos)
    return unreadable(fmt::format("a block {} has no end", name), "copy the file again, whole");
  const auto whole_size = kBegin.size() + label_end + kDashes.size() + end + last_line.size();
  const Block block{name, content.substr(0, end), rest.substr(begin, whole_size)};
  rest.remove_prefix(begin + whole_size);
  return block;
}

std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char letter : text) {
    if (letter == '\n' || letter == '\r' || letter == ' ' || letter == '\t') continue;
    if (letter == '=') break;
    const auto value = kLetters.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

// --- DER ---

struct DerElement {
  std::uint8_t tag = 0;
  std::string_view content;
  std::string_view whole;
};

std::optional<DerElement> next_element(std::string_view& rest) {
  const auto byte = [&rest](std::size_t at) { return static_cast<std::uint8_t>(rest[at]); };
  if (rest.size() < 2) return std::nullopt;
  std::size_t size = byte(1);
  std::size_t header = 2;
  if (size >= 0x80) {
    const std::size_t octets = size & 0x7f;
    if (octets == 0 || octets > 4 || rest.size() < header + octets) return std::nullopt;
    size = 0;
    for (std::size_t i = 0; i < octets; ++i) size = size << 8 | byte(header + i);
    header += octets;
  }
  if (rest.size() - header < size) return std::nullopt;
  const DerElement element{byte(0), rest.substr(header, size), rest.substr(0, header + size)};
  rest.remove_prefix(header + size);
  return element;
}

struct Fields {
  std::string issuer;  // DER
  std::string subject;
  std::int64_t valid_from = 0;  // seconds since 1970
  std::int64_t valid_until = 0;
  std::vector<std::string> names;  // see Certificate
};

constexpr std::uint8_t kSequence = 0x30;

std::string in_small_letters(std::string_view text) {
  std::string small{text};
  for (char& letter : small)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return small;
}

// One GeneralName; empty if it is of a kind that is no identity here.
std::string read_name(const DerElement& name) {
  constexpr std::uint8_t kMail = 0x81;
  constexpr std::uint8_t kDns = 0x82;
  constexpr std::uint8_t kAddress = 0x87;
  if (name.tag == kMail || name.tag == kDns) return in_small_letters(name.content);
  mip6::Ipv6Address address;
  const auto octet = [&name](std::size_t at) { return static_cast<std::uint8_t>(name.content[at]); };
  if (name.tag == kAddress && name.content.size() == 4)
    return fmt::format("{}.{}.{}.{}", octet(0), octet(1), octet(2), octet(3));
  if (name.tag != kAddress || name.content.size() != address.bytes.size()) return {};
  std::copy(name.content.begin(), name.content.end(), address.bytes.begin());
  return address.to_string();
}

// `rest`: what follows the subject in the signed part.
std::vector<std::string> read_names(std::string_view rest) {
  constexpr std::uint8_t kExtensions = 0xa3;
  constexpr std::uint8_t kOctets = 0x04;
  constexpr std::string_view kSubjectAltName = "\x55\x1d\x11";  // 2.5.29.17
  std::vector<std::string> names;
  auto part = next_element(rest);
  while (part && part->tag != kExtensions) part = next_element(rest);
  if (!part) return names;
  rest = part->content;
  const auto all = next_element(rest);
  if (!all) return names;
  rest = all->content;
  for (auto extension = next_element(rest); extension; extension = next_element(rest)) {
    auto inside = extension->content;
    const auto id = next_element(inside);
    if (!id || id->content != kSubjectAltName) continue;
    auto value = next_element(inside);
    if (value && value->tag != kOctets) value = next_element(inside);  // behind whether it is critical
    if (!value) continue;
    inside = value->content;
    const auto list = next_element(inside);
    if (!list || list->tag != kSequence) continue;
    inside = list->content;
    for (auto name = next_element(inside); name; name = next_element(inside))
      if (auto text = read_name(*name); !text.empty()) names.push_back(std::move(text));
  }
  return names;
}

// UTCTime or GeneralizedTime, both with seconds and Z (RFC 5280 section 4.1.2.5); 0 if it is neither.
std::int64_t read_time(const std::optional<DerElement>& time) {
  constexpr std::uint8_t kUtcTime = 0x17;
  constexpr std::uint8_t kGeneralizedTime = 0x18;
  if (!time || (time->tag != kUtcTime && time->tag != kGeneralizedTime)) return 0;
  auto text = std::string{time->content};
  if (time->tag == kUtcTime) text.insert(0, text < "50" ? "20" : "19");
  if (text.size() != 15 || text.back() != 'Z') return 0;
  if (!std::all_of(text.begin(), text.end() - 1, [](char c) { return c >= '0' && c <= '9'; })) return 0;
  const auto number = [&text](std::size_t at, std::size_t size) { return std::stoi(text.substr(at, size)); };
  using namespace std::chrono;
  const year_month_day date{year{number(0, 4)}, month{static_cast<unsigned>(number(4, 2))},
                            day{static_cast<unsigned>(number(6, 2))}};
  if (!date.ok()) return 0;
  const auto at = sys_days{date} + hours{number(8, 2)} + minutes{number(10, 2)} + seconds{number(12, 2)};
  return duration_cast<seconds>(at.time_since_epoch()).count();
}

std::optional<Fields> fields_of(std::string_view der) {
  constexpr std::uint8_t kVersion = 0xa0;
  const auto certificate = next_element(der);
  if (!certificate || certificate->tag != kSequence) return std::nullopt;
  auto rest = certificate->content;
  const auto to_be_signed = next_element(rest);
  if (!to_be_signed || to_be_signed->tag != kSequence) return std::nullopt;
  rest = to_be_signed->content;
  auto serial = next_element(rest);
  if (serial && serial->tag == kVersion) serial = next_element(rest);
  const auto algorithm = next_element(rest);
  const auto issuer = next_element(rest);
  const auto validity = next_element(rest);
  const auto subject = next_element(rest);
  if (!serial || !algorithm || !validity || !subject) return std::nullopt;
  if (issuer->tag != kSequence || subject->tag != kSequence) return std::nullopt;
  auto dates = validity->content;
  const auto from = read_time(next_element(dates));
  const auto until = read_time(next_element(dates));
  return Fields{std::string(issuer->whole), std::string(subject->whole), from, until, read_names(rest)};
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<std::uint8_t>(byte));
  return text;
}

// --- the bundle ---

class Bundle {
 public:
  tl::expected<void, mip6::Error> take(const Block& block) {
    if (block.label == "CERTIFICATE") return take_certificate(block);
    if (block.label == "X509 CRL") {
      found_.revocation_lists.emplace_back(block.whole);
      return {};
    }
    // openssl writes the curve in front of a key that it made; the key names it, too
    if (block.label == "EC PARAMETERS") return {};
    const bool traditional = block.content.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos;
    if (block.label == "ENCRYPTED PRIVATE KEY" || traditional)
      return unreadable(
          "the private key is encrypted",
          "nobody could type its passphrase: decrypt it with 'openssl pkey', the file's mode protects it");
    if (std::find(kKeyLabels.begin(), kKeyLabels.end(), block.label) == kKeyLabels.end())
      return unreadable(fmt::format("has a block {}, which is of no use here", block.label), std::string(kOrder));
    if (!found_.private_key.empty()) return unreadable("has two private keys", "keep the one of our certificate");
    found_.private_key = block.whole;
    return {};
  }

  tl::expected<Certificate, mip6::Error> finish() {
    if (found_.private_key.empty())
      return unreadable("has no private key",
                        "add the block '-----BEGIN PRIVATE KEY-----' that our certificate is for");
    if (found_.own.empty()) return unreadable("has no certificate", "add our certificate after the private key");
    if (found_.authorities.empty())
      return unreadable(
          "has no CA certificate",
          "add, after our own, intermediate certificates and the root that the peer's certificate comes from");
    if (roots_ == 0)
      return unreadable("has no root certificate", "add the root that the peer's certificate comes from, at the end");
    if (roots_ > 1)
      return unreadable("has more than one root certificate", "keep the one that the peer's certificate comes from");
    return std::move(found_);
  }

 private:
  tl::expected<void, mip6::Error> take_certificate(const Block& block) {
    ++certificates_;
    const auto der = from_base64(block.content);
    const auto fields = der ? fields_of(*der) : std::nullopt;
    if (!fields)
      return unreadable(fmt::format("certificate {} of the file cannot be read", certificates_),
                        "copy it again; it is X.509 in PEM form");
    const bool root = fields->issuer == fields->subject;
    if (certificates_ == 1) {
      if (root) return unreadable("its first certificate is a root, not our own", std::string(kOrder));
      found_.own = block.whole;
      found_.valid_from = fields->valid_from;
      found_.valid_until = fields->valid_until;
      found_.names = fields->names;
      return {};
    }
    found_.authorities.emplace_back(block.whole);
    if (!root) return {};
    ++roots_;
    found_.root = hex(fields->subject);
    return {};
  }

  Certificate found_;
  int certificates_ = 0;
  int roots_ = 0;
};

}  // namespace

std::optional<bool> names_identity(const Certificate& certificate, std::string_view identity) {
  auto wanted = in_small_letters(identity);
  if (const auto address = mip6::Ipv6Address::parse(identity))
    wanted = address->to_string();
  else if (identity.empty() || identity.front() == '@' || identity.find_first_of("=:") != std::string_view::npos)
    return std::nullopt;
  return std::find(certificate.names.begin(), certificate.names.end(), wanted) != certificate.names.end();
}

std::optional<mip6::Error> objection_to_name(const Certificate& certificate, std::string_view identity) {
  if (names_identity(certificate, identity).value_or(true)) return std::nullopt;
  return mip6::Error{.reason = fmt::format("our certificate does not name {}, as which we present ourselves", identity),
                     .remedy = fmt::format(
                         "have one issued with it as subjectAltName (pki --issue --san {0}; mip6-ha add --certificate "
                         "does so), or write as identity what it names: openssl x509 -noout -ext subjectAltName",
                         identity)};
}

tl::expected<Certificate, mip6::Error> parse_certificate(std::string_view bundle) {
  Bundle parts;
  for (;;) {
    const auto block = next_block(bundle);
    if (!block) return tl::unexpected(block.error());
    if (!*block) return parts.finish();
    if (auto taken = parts.take(**block); !taken) return tl::unexpected(std::move(taken.error()));
  }
}

}  // namespace ike
