// Files of manual keys: what is accepted, and what is refused with which reason.
#include "mnd/linux/manual_keys.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "mnd/linux/key_record.hpp"
#include "tests/catch.hpp"
#include "tests/unit/temporary_folder.hpp"

using namespace mnd::kernel;

namespace {

// 32 bytes each, no two alike.
constexpr std::string_view kKeyA = "8f1c2e90ab55d3077c6e41b2f9d80a63154e9b70c2fd3811a6e75f0d92b4c83e";
constexpr std::string_view kKeyB = "31d7f4a8096ce25b8d10fa4793be6c05d84127fb6e90a35c1f62d80e47b93a16";
constexpr std::string_view kKeyC = "c4028e6fb17d93a50e58f16b2d94c7307ae1530dbf8246f91c6d0b75e38a294f";
constexpr std::string_view kKeyD = "5ab90e37d1c48f6206f37b1ea95dc0842b6e18f5379ad04ce1b82f6d905c7e43";

using Settings = std::map<std::string, std::string>;

Settings good(std::string_view spi, std::string_view encryption, std::string_view integrity) {
  return {{"spi", std::string{spi}},
          {"encryption", "aes-cbc"},
          {"encryption-key", std::string{encryption}},
          {"integrity", "hmac-sha-256"},
          {"integrity-key", std::string{integrity}}};
}
const Settings kToAgent = good("0x1a2b3c4d", kKeyA, kKeyB);
const Settings kToNode = good("0x2a2b3c4d", kKeyC, kKeyD);

std::string text(const Settings& to_agent = kToAgent, const Settings& to_node = kToNode) {
  std::string result;
  for (const auto& [name, settings] : {std::pair{"to-home-agent", to_agent}, std::pair{"to-node", to_node}}) {
    result += std::string{"["} + name + "]\n";
    for (const auto& [key, value] : settings) result += key + " = " + value + "\n";
  }
  return result;
}

// Without that setting if `value` is empty.
Settings with(Settings settings, const std::string& key, std::string_view value) {
  settings[key] = value;
  if (value.empty()) settings.erase(key);
  return settings;
}

// All mistakes as text; none of them may repeat a part of a key.
std::string mistakes_of(const std::string& file) {
  const auto keys = parse_manual_keys(file, "keys");
  if (keys) return "";
  std::string all;
  for (const auto& mistake : keys.error()) {
    CHECK_FALSE(mistake.remedy.empty());
    all += mistake.to_string() + "\n";
  }
  for (const auto key : {kKeyA, kKeyB, kKeyC, kKeyD})
    for (std::size_t at = 0; at + 6 <= key.size(); ++at) CHECK(all.find(key.substr(at, 6)) == std::string::npos);
  return all;
}

bool refused(const std::string& file, std::string_view because) {
  const auto mistakes = mistakes_of(file);
  INFO(mistakes);
  CHECK(mistakes.find(because) != std::string::npos);
  return mistakes.find(because) != std::string::npos;
}

}  // namespace

TEST_CASE("a file of manual keys gives both directions", "[manual]") {
  const auto keys = parse_manual_keys(text(), "keys");
  REQUIRE(keys);
  CHECK(keys->to_home_agent.spi == 0x1a2b3c4d);
  CHECK(keys->to_node.spi == 0x2a2b3c4d);
  CHECK(keys->to_home_agent.encryption_key.size() == 32);
  CHECK(keys->to_home_agent.encryption_key.front() == 0x8f);
  CHECK(keys->to_node.integrity_key.back() == 0x43);
  CHECK(keys->to_node.integrity == Integrity::kHmacSha256);
}

TEST_CASE("AES with 128 bits and the longer hashes are accepted with keys of their length", "[manual]") {
  const auto hash = GENERATE(std::pair{"hmac-sha-384", 96}, std::pair{"hmac-sha-512", 128});
  const std::string long_key =
      (std::string{kKeyB} + std::string{kKeyD}).substr(0, static_cast<std::size_t>(hash.second));
  auto to_agent = with(with(kToAgent, "integrity", hash.first), "integrity-key", long_key);
  to_agent = with(to_agent, "encryption-key", kKeyA.substr(0, 32));
  const auto other_key = std::string{kKeyA.substr(32)} + std::string{kKeyD.substr(32)};
  const auto keys = parse_manual_keys(text(to_agent, with(kToNode, "integrity-key", other_key)), "keys");
  REQUIRE(keys);
  CHECK(keys->to_home_agent.encryption_key.size() == 16);
  CHECK(keys->to_home_agent.integrity_key.size() == traits_of(keys->to_home_agent.integrity).key_size);
}

TEST_CASE("counter modes are refused with the reason", "[manual]") {
  const auto* cipher =
      GENERATE("aes-ctr", "aes-gcm", "rfc4106(gcm(aes))", "aes-ccm", "chacha20-poly1305", "AES256GCM16");
  CHECK(refused(text(with(kToAgent, "encryption", cipher)), "a counter mode: with a static key"));
}

TEST_CASE("other ciphers and none are refused", "[manual]") {
  CHECK(refused(text(with(kToAgent, "encryption", "3des-cbc")), "no cipher for manual keys"));
  CHECK(refused(text(with(kToAgent, "encryption", "null")), "nothing would be encrypted"));
  CHECK(refused(text(with(kToAgent, "encryption", "")), "[to-home-agent] has no encryption"));
}

TEST_CASE("missing authentication is refused", "[manual]") {
  const auto* integrity = GENERATE("null", "none", "digest_null");
  CHECK(refused(text(kToAgent, with(kToNode, "integrity", integrity)), "without authentication anybody could"));
  CHECK(refused(text(kToAgent, with(kToNode, "integrity", "")), "without authentication anybody could"));
  CHECK(refused(text(kToAgent, with(kToNode, "integrity-key", "")), "[to-node] has no integrity-key"));
  CHECK(refused(text(kToAgent, with(kToNode, "integrity", "hmac-md5")), "no integrity algorithm of ours"));
}

TEST_CASE("keys of a wrong length are refused", "[manual]") {
  CHECK(refused(text(with(kToAgent, "encryption-key", kKeyA.substr(0, 48))), "has 24 bytes, aes-cbc needs 16 or 32"));
  CHECK(refused(text(with(kToAgent, "integrity-key", kKeyB.substr(0, 40))), "has 20 bytes, hmac-sha-256 needs 32"));
  CHECK(refused(text(with(kToAgent, "integrity", "hmac-sha-512")), "has 32 bytes, hmac-sha-512 needs 64"));
  CHECK(refused(text(with(kToAgent, "encryption-key", kKeyA.substr(1))), "pairs of hexadecimal digits"));
  CHECK(refused(text(with(kToAgent, "encryption-key", "geheim")), "pairs of hexadecimal digits"));
}

TEST_CASE("weak keys are refused", "[manual]") {
  std::string equal, pattern, counted;
  for (int i = 0; i < 32; ++i) {
    equal += "aa";
    pattern += i % 2 == 0 ? "0f" : "f0";
    counted += fmt::format("{:02x}", i);
  }
  for (const auto& weak : {equal, pattern, counted}) {
    CHECK(refused(text(with(kToAgent, "integrity-key", weak)), "is weak"));
  }
}

TEST_CASE("one key for two purposes or directions is refused", "[manual]") {
  CHECK(refused(text(with(kToAgent, "integrity-key", kKeyA)),
                "encryption-key of [to-home-agent] and integrity-key of [to-home-agent] are the same"));
  CHECK(refused(text(kToAgent, with(kToNode, "integrity-key", kKeyB)),
                "integrity-key of [to-home-agent] and integrity-key of [to-node] are the same"));
  // as the beginning of a longer one
  CHECK(refused(text(kToAgent, with(kToNode, "encryption-key", kKeyA.substr(0, 32))),
                "encryption-key of [to-home-agent] and encryption-key of [to-node] are the same"));
}

TEST_CASE("SPIs below 256 and the same SPI twice are refused", "[manual]") {
  CHECK(refused(text(with(kToAgent, "spi", "255")), "255 is reserved"));
  CHECK(refused(text(with(kToAgent, "spi", "0")), "0 is reserved"));
  CHECK(refused(text(with(kToAgent, "spi", "0x100000000")), "is no SPI"));
  CHECK(refused(text(with(kToAgent, "spi", "0x2A2b3c4d")), "spi 0x2a2b3c4d is given twice"));
  CHECK(mistakes_of(text(with(kToAgent, "spi", "256"))).empty());
}

TEST_CASE("what is not understood is told by its line, without its text", "[manual]") {
  CHECK(refused(text() + std::string{kKeyA} + "\n", "keys:13: this line is not understood"));
  CHECK(refused(text() + std::string{kKeyA} + " = 1\n", "keys:13: unknown setting"));
  CHECK(refused("[" + std::string{kKeyA} + "]\n" + text(), "keys:1: neither of the two sections"));
  CHECK(refused("spi = 300\n" + text(), "keys:1: neither of the two sections"));
  CHECK(refused(text() + text(), "a second time"));
  CHECK(refused("", "has no section [to-node]"));
}

TEST_CASE("a key file that others can read is not looked at", "[manual]") {
  const TemporaryFolder folder;
  const auto open = read_manual_keys(folder.file("keys", text(), 0644));
  REQUIRE_FALSE(open);
  REQUIRE(open.error().size() == 1);
  CHECK(open.error().front().what == "mode 0644 lets others at it");
  CHECK(open.error().front().remedy.starts_with("chmod 0640"));
  CHECK(read_manual_keys(folder.file("good", text(), 0640)));
  CHECK(read_manual_keys(folder.path() / "missing").error().front().remedy.find("mnd --make-keys") !=
        std::string::npos);
}

TEST_CASE("keys that are made are accepted, below charon's SPIs, and others each time", "[manual]") {
  const auto one = make_manual_keys();
  const auto other = make_manual_keys();
  REQUIRE((one && other));
  const auto keys = parse_manual_keys(*one, "keys");
  REQUIRE(keys);
  CHECK(keys->to_home_agent.spi < 0xc0000000);
  CHECK(keys->to_node.spi < 0xc0000000);
  CHECK(keys->to_home_agent.integrity_key != parse_manual_keys(*other, "keys")->to_home_agent.integrity_key);
}

TEST_CASE("a record of keys knows the same keys, new ones and former ones", "[manual]") {
  const auto keys = [](const Settings& to_agent, const Settings& to_node) {
    return *parse_manual_keys(text(to_agent, to_node), "keys");
  };
  const auto first = keys(kToAgent, kToNode);
  CHECK(history_of(std::nullopt, first) == KeyHistory::kUnknown);
  const auto record = record_of(first, std::nullopt);
  REQUIRE(record);
  CHECK(history_of(*record, first) == KeyHistory::kSame);
  // Of the keys nothing is in it, and the same keys have another fingerprint elsewhere.
  for (const auto key : {kKeyA, kKeyB, kKeyC, kKeyD}) CHECK(to_json(*record).dump().find(key) == std::string::npos);
  CHECK(record_of(first, std::nullopt)->to_node != record->to_node);

  const auto fresh = *parse_manual_keys(*make_manual_keys(), "keys");
  CHECK(history_of(*record, fresh) == KeyHistory::kNew);
  auto half = first;
  half.to_node = fresh.to_node;
  CHECK(history_of(*record, half) == KeyHistory::kHalfNew);
  auto turned = first;
  std::swap(turned.to_node, turned.to_home_agent);
  CHECK(history_of(*record, turned) == KeyHistory::kHalfNew);
  // Another SPI or cipher key is no new key: what was captured is still authentic, or was under that key.
  auto other_spi = first;
  other_spi.to_node.spi = 4711;
  CHECK(history_of(*record, other_spi) == KeyHistory::kSame);

  const auto next = record_of(fresh, *record);
  REQUIRE(next);
  CHECK(history_of(*next, fresh) == KeyHistory::kSame);
  CHECK(history_of(*next, first) == KeyHistory::kFormer);
  CHECK(history_of(*next, half) == KeyHistory::kFormer);
  CHECK(key_record_from(to_json(*next)) == *next);
}

TEST_CASE("a damaged record of keys is none", "[manual]") {
  const auto record = record_of(*parse_manual_keys(text(), "keys"), std::nullopt);
  for (const auto* member : {"salt", "to_home_agent", "to_node", "former"}) {
    auto damaged = to_json(*record);
    for (const auto* bad : {"", "zz"}) {
      damaged[member] = bad;
      CHECK_FALSE(key_record_from(damaged));
    }
    damaged.erase(member);
    CHECK_FALSE(key_record_from(damaged));
  }
  CHECK_FALSE(key_record_from(nlohmann::json{}));
}

TEST_CASE("the record of keys is bounded", "[manual]") {
  auto record = record_of(*parse_manual_keys(*make_manual_keys(), "keys"), std::nullopt);
  for (int i = 0; i < 40; ++i) record = record_of(*parse_manual_keys(*make_manual_keys(), "keys"), *record);
  CHECK(record->former.size() == KeyRecord::kMaxFormer);
  CHECK(key_record_from(to_json(*record)));
}
