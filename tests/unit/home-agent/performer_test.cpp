// How the cores' decisions are performed: order, and what becomes of a refusal by kernel or disk.
#include "examples/home-agent/performer.hpp"

#include <fmt/format.h>

#include <set>

#include "libmip6/wire/icmp_message.hpp"
#include "libmip6/wire/message.hpp"
#include "tests/catch.hpp"

namespace mip6ha {
namespace {

using mip6::Ipv6Address;
using mip6::Status;
namespace agent = mip6::agent;

const Ipv6Address kHome = *Ipv6Address::parse("2001:db8:1::42");
const Ipv6Address kFirst = *Ipv6Address::parse("2001:db8:a1::7");
const Ipv6Address kSecond = *Ipv6Address::parse("2001:db8:a2::7");

using Calls = std::vector<std::string>;

// Writes down each call; refuses the one named in `refuse`.
class PretendedKernel final : public KernelPort {
 public:
  Calls& calls;
  std::string refuse;
  std::function<void(bool)> dad_done;
  std::vector<mnd::kernel::BoundCareOf> left;  // by a former process
  std::vector<Ipv6Address> left_intercepted;
  bool intercepted_unknown = false;
  explicit PretendedKernel(Calls& log) : calls{log} {}

  Result bind(const Ipv6Address&, const Ipv6Address& care_of) override { return call("bind", care_of); }
  Result forget_care_of(const Ipv6Address&, const Ipv6Address& care_of) override { return call("forget", care_of); }
  Result unbind(const Ipv6Address& home, bool in_flight) override {
    return call(home == kHome ? in_flight ? "unbind, in flight stays" : "unbind" : "unbind other");
  }
  std::vector<mnd::kernel::BoundCareOf> bound() const override { return left; }
  tl::expected<std::vector<Ipv6Address>, mip6::Error> intercepted() override {
    if (!intercepted_unknown) return left_intercepted;
    return tl::unexpected(mip6::Error{.tried = "list", .on = "x", .reason = "no", .remedy = "none", .os_error = 0});
  }
  Result intercept(const Ipv6Address& address) override { return call("intercept " + address.to_string()); }
  Result release(const Ipv6Address& address) override { return call("release " + address.to_string()); }
  Result advertise(const Ipv6Address& address) override {
    return call(address == kHome ? "advertise" : "advertise " + address.to_string());
  }
  Result route_through(const Ipv6Address&, const Ipv6Address& care_of) override { return call("through", care_of); }
  Result route_straight(const Ipv6Address&) override { return call("straight"); }
  Result send(std::span<const std::uint8_t> message, const Ipv6Address& destination, bool on_home_link) override {
    CHECK(destination == kHome);
    const auto parsed = mip6::parse_message(message);
    REQUIRE(parsed);
    const auto status = std::get<mip6::BindingAcknowledgement>(*parsed).status;
    gone.insert(goes_at_sending.begin(), goes_at_sending.end());
    goes_at_sending.clear();
    return call(fmt::format("send {}{}", static_cast<int>(status), on_home_link ? " on the home link" : ""));
  }
  Result send_prefixes(std::span<const std::uint8_t> message, const Ipv6Address& home) override {
    CHECK(home == kHome);
    const auto parsed = mip6::parse_icmp_message(message);
    REQUIRE(parsed);
    return call(fmt::format("prefixes {}", std::get<mip6::MobilePrefixAdvertisement>(*parsed).identifier));
  }
  Result start_dad(const Ipv6Address&, bool, int, std::function<void(bool)> done) override {
    dad_done = std::move(done);
    return call("dad");
  }
  Result move_key_endpoint(const Ipv6Address&, std::uint32_t reqid, const Ipv6Address& remote) override {
    CHECK(reqid == 627501);
    return call("move", remote);
  }
  Result send_payload_to(const Ipv6Address&, const Ipv6Address& remote) override { return call("payload to", remote); }
  std::vector<std::uint32_t> states;
  tl::expected<std::vector<std::uint32_t>, mip6::Error> state_spis(const Ipv6Address&, std::uint32_t reqid) override {
    CHECK(reqid == 627501);
    if (const auto done = call("states"); !done) return tl::unexpected(done.error());
    return states;
  }
  Result delete_states_except(const Ipv6Address&, std::uint32_t, const std::vector<std::uint32_t>& kept,
                              const std::optional<std::vector<std::uint32_t>>& among) override {
    return call(fmt::format("delete states except {}{}", fmt::join(kept, ","),
                            among ? fmt::format(" among {}", fmt::join(*among, ",")) : ""));
  }
  std::set<std::uint32_t> gone;  // outbound SPIs
  std::set<std::uint32_t> goes_at_sending;
  std::set<std::uint32_t> used;  // inbound SPIs
  ike::KeyPairUse look_up(const Ipv6Address&, const ike::KeyPair& pair) override {
    return {.pair = pair,
            .there = !gone.contains(pair.spi_out),
            .used = used.contains(pair.spi_in),
            .added = static_cast<std::int64_t>(pair.spi_in)};
  }
  Result close_inbound(const Ipv6Address&, std::uint32_t spi) override { return call(fmt::format("close {}", spi)); }
  Result send_under(const Ipv6Address&, std::uint32_t reqid, std::uint32_t spi) override {
    CHECK(reqid == 627501);
    return call(fmt::format("under {}", spi));
  }

 private:
  Result call(const std::string& what, const Ipv6Address& care_of = {}) {
    calls.push_back(care_of.is_unspecified() ? what : what + (care_of == kFirst ? " 1" : " 2"));
    if (calls.back() != refuse) return {};
    return tl::unexpected(mip6::Error{.tried = what, .on = "x", .reason = "no", .remedy = "none", .os_error = 0});
  }
};

class PretendedStore final : public Store {
 public:
  Calls& calls;
  bool refuse = false;
  explicit PretendedStore(Calls& log) : calls{log} {}

  tl::expected<std::uint32_t, mip6::Error> reqid_of(const std::string&, const Ipv6Address&) override { return 627501; }
  tl::expected<std::vector<std::uint32_t>, mip6::Error> reqids_of(const std::vector<StoredNode>& nodes) override {
    return std::vector<std::uint32_t>(nodes.size(), 627501);
  }
  tl::expected<std::vector<StoredNode>, mip6::Error> nodes() override { return {}; }
  tl::expected<void, mip6::Error> save(const std::vector<agent::BindingRecord>& records) override {
    calls.push_back(records.size() == 1 ? "save" : fmt::format("save {}", records.size()));
    if (!refuse) return {};
    return tl::unexpected(
        mip6::Error{.tried = "save", .on = "x", .reason = "disk full", .remedy = "room", .os_error = 0});
  }
  tl::expected<std::vector<agent::BindingRecord>, mip6::Error> records() override { return {}; }
  tl::expected<bool, mip6::Error> has_record(const Ipv6Address&) override { return false; }
  tl::expected<std::optional<ManualKeyState>, mip6::Error> manual_keys(const Ipv6Address&) override {
    return std::optional<ManualKeyState>{};
  }
  tl::expected<void, mip6::Error> leave_manual_keys(const Ipv6Address&) override { return {}; }
  tl::expected<void, mip6::Error> begin_manual_keys(const Ipv6Address&, const mnd::kernel::KeyRecord&,
                                                    Numbers) override {
    return {};
  }
  tl::expected<std::vector<StoredBan>, mip6::Error> bans() override { return {}; }
  tl::expected<void, mip6::Error> ban(const StoredBan&) override { return {}; }
  tl::expected<void, mip6::Error> unban(const std::string&) override { return {}; }
  tl::expected<void, mip6::Error> copy_to(const std::filesystem::path&) override { return {}; }
  tl::expected<void, mip6::Error> take_back(const std::filesystem::path&) override { return {}; }
};

struct Bench {
  Calls calls;
  PretendedKernel kernel{calls};
  PretendedStore store{calls};
  std::vector<agent::Event> to_agent;
  std::vector<ike::AgentKeyingEvent> to_keying;
  std::vector<std::string> lines;
  std::vector<bool> disk;
  std::vector<std::string> events;
  int groups = 0;  // that were said to wait
  Performer performer{kernel,
                      store,
                      {{kHome, {.name = "laptop", .reqid = 627501}}},
                      {.to_agent = [this](agent::Event event) { to_agent.push_back(std::move(event)); },
                       .to_keying = [this](ike::AgentKeyingEvent event) { to_keying.push_back(std::move(event)); },
                       .log = [this](mnd::kernel::Level, const std::string& text) { lines.push_back(text); },
                       .failed = [this](const mip6::Error& error) { lines.push_back(error.to_string()); },
                       .disk = [this](bool stored) { disk.push_back(stored); },
                       .event = [this](const Ipv6Address&, const std::string& what) { events.push_back(what); },
                       .records_wait = [this] { ++groups; }}};

  Calls calls_of(const agent::Action& action) {
    calls.clear();
    performer.perform(action);
    return calls;
  }
  // The answer to StoreRecord.
  bool store_record(const std::optional<Ipv6Address>& care_of) {
    to_agent.clear();
    ask_to_store(kHome, care_of);
    performer.store_waiting();
    REQUIRE(to_agent.size() == 1);
    return std::get<agent::RecordStored>(to_agent.front()).stored;
  }
  void ask_to_store(const Ipv6Address& home_address, const std::optional<Ipv6Address>& care_of) {
    performer.perform(agent::StoreRecord{{.home_address = home_address, .care_of = care_of}});
  }
  // Home address and whether it was stored, of each answer.
  std::vector<std::pair<Ipv6Address, bool>> answers() const {
    std::vector<std::pair<Ipv6Address, bool>> all;
    for (const auto& event : to_agent) {
      const auto& answer = std::get<agent::RecordStored>(event);
      all.emplace_back(answer.home_address, answer.stored);
    }
    return all;
  }
  void registered_at(const Ipv6Address& care_of) {
    REQUIRE(store_record(care_of));
    performer.perform(agent::InstallBinding{.home_address = kHome, .care_of = care_of, .first = true});
    calls.clear();
  }
};

agent::SendAcknowledgement acknowledgement(Status status, std::optional<Ipv6Address> care_of) {
  mip6::BindingAcknowledgement message;
  message.status = status;
  return {.acknowledgement = message, .home_address = kHome, .care_of = care_of};
}

TEST_CASE("a binding is in the kernel before it is on the disk, and both before the acknowledgement", "[performer]") {
  Bench bench;
  CHECK(bench.store_record(kFirst));
  CHECK(bench.calls == Calls{"bind 1", "through 1", "save"});
  CHECK(bench.calls_of(agent::InstallBinding{.home_address = kHome, .care_of = kFirst, .first = true}) ==
        Calls{"advertise"});
  CHECK(bench.calls_of(acknowledgement(Status::kAccepted, kFirst)) == Calls{"send 0"});
  CHECK(bench.performer.bound().at(kHome) == kFirst);
}

const Ipv6Address kOther = *Ipv6Address::parse("2001:db8:1::43");

TEST_CASE("records that wait are stored together, and none is answered before", "[performer]") {
  Bench bench;
  bench.ask_to_store(kHome, kFirst);
  bench.ask_to_store(kOther, kSecond);
  CHECK(bench.groups == 1);
  CHECK(bench.calls == Calls{"bind 1", "through 1", "bind 2", "through 2"});
  CHECK(bench.to_agent.empty());
  bench.calls.clear();

  bench.performer.store_waiting();
  CHECK(bench.calls == Calls{"save 2"});
  CHECK(bench.answers() == std::vector<std::pair<Ipv6Address, bool>>{{kHome, true}, {kOther, true}});

  bench.ask_to_store(kHome, std::nullopt);
  CHECK(bench.groups == 2);
}

TEST_CASE("a group that the disk refuses leaves none of its bindings, nor an answer that one is stored",
          "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  bench.to_agent.clear();
  bench.store.refuse = true;
  bench.ask_to_store(kHome, kSecond);
  bench.ask_to_store(kOther, kSecond);
  bench.calls.clear();
  bench.performer.store_waiting();
  CHECK(bench.calls == Calls{"save 2", "bind 1", "forget 2", "through 1", "unbind other", "straight"});
  CHECK(bench.answers() == std::vector<std::pair<Ipv6Address, bool>>{{kHome, false}, {kOther, false}});
  CHECK(bench.performer.bound() == std::map<Ipv6Address, Ipv6Address>{{kHome, kFirst}});

  bench.store.refuse = false;  // there is room again
  CHECK(bench.store_record(kSecond));
}

TEST_CASE("a binding that the kernel refuses keeps no other of its group from being stored", "[performer]") {
  Bench bench;
  bench.kernel.refuse = "bind 2";
  bench.ask_to_store(kOther, kSecond);
  bench.ask_to_store(kHome, kFirst);
  bench.calls.clear();
  bench.performer.store_waiting();
  CHECK(bench.calls == Calls{"save"});
  CHECK(bench.answers() == std::vector<std::pair<Ipv6Address, bool>>{{kOther, false}, {kHome, true}});
}

TEST_CASE("a binding that ends while its record waits does not come back when the disk refuses", "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  bench.ask_to_store(kHome, kSecond);
  bench.performer.perform(agent::RemoveBinding{kHome});
  bench.ask_to_store(kHome, std::nullopt);
  bench.calls.clear();
  SECTION("it refuses") {
    bench.store.refuse = true;
    bench.performer.store_waiting();
    CHECK(bench.calls == Calls{"save 2"});
    CHECK(bench.performer.bound().empty());
  }
  SECTION("nor is it taken for installed when the disk stores it") {
    bench.performer.store_waiting();
    CHECK(bench.calls_of(agent::InstallBinding{.home_address = kHome, .care_of = kSecond}) ==
          Calls{"bind 2", "through 2"});
  }
}

TEST_CASE("a former care-of address to which a node returns is not forgotten while the record waits", "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  bench.registered_at(kSecond);
  bench.ask_to_store(kHome, kFirst);
  CHECK(bench.calls_of(agent::ForgetCareOf{.home_address = kHome, .care_of = kFirst}).empty());
  SECTION("stored") {
    bench.performer.store_waiting();
    CHECK(bench.calls == Calls{"save"});
  }
  SECTION("refused: then it is") {
    bench.store.refuse = true;
    bench.performer.store_waiting();
    CHECK(bench.calls == Calls{"save", "bind 2", "forget 1", "through 2"});
  }
}

TEST_CASE("a binding from the disk is installed without being stored", "[performer]") {
  Bench bench;
  CHECK(bench.calls_of(agent::InstallBinding{.home_address = kHome, .care_of = kFirst, .first = true}) ==
        Calls{"bind 1", "through 1", "advertise"});
}

TEST_CASE("a first binding that the kernel refuses is not stored, and nothing of it stays", "[performer]") {
  Bench bench;
  SECTION("the tunnel") {
    bench.kernel.refuse = "bind 1";
    CHECK_FALSE(bench.store_record(kFirst));
    CHECK(bench.calls == Calls{"bind 1", "unbind", "straight"});
  }
  SECTION("the routing header") {
    bench.kernel.refuse = "through 1";
    CHECK_FALSE(bench.store_record(kFirst));
    CHECK(bench.calls == Calls{"bind 1", "through 1", "unbind", "straight"});
  }
  CHECK(bench.performer.bound().empty());
  CHECK(bench.performer.kernel_failures() == 1);
  REQUIRE(bench.lines.size() == 1);
  CHECK(bench.lines.front().find("none") != std::string::npos);
}

TEST_CASE("a move that the disk refuses leaves the former binding", "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  bench.store.refuse = true;
  CHECK_FALSE(bench.store_record(kSecond));
  CHECK(bench.calls == Calls{"bind 2", "through 2", "save", "bind 1", "forget 2", "through 1"});
  CHECK(bench.performer.bound().at(kHome) == kFirst);
}

TEST_CASE("a refresh tells the kernel everything again", "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  CHECK(bench.store_record(kFirst));
  CHECK(bench.calls == Calls{"bind 1", "through 1", "save"});
}

TEST_CASE("a refusal goes to the care-of address it came from, and the way of the binding is set again",
          "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  CHECK(bench.calls_of(acknowledgement(Status::kSequenceNumberOutOfWindow, kSecond)) ==
        Calls{"through 2", "send 135", "through 1"});
}

TEST_CASE("a refusal to a node without binding uses a way that is gone afterwards", "[performer]") {
  Bench bench;
  CHECK(bench.calls_of(acknowledgement(Status::kNotHomeSubnet, kFirst)) == Calls{"through 1", "send 132", "straight"});
}

TEST_CASE("a prefix advertisement goes to the care-of address that it is for, and the way of the binding is set again",
          "[performer]") {
  Bench bench;
  const auto advertise = [&](const Ipv6Address& care_of) {
    bench.calls.clear();
    return bench.performer.perform(agent::SendPrefixAdvertisement{
        .advertisement = {.identifier = 7, .prefixes = {}}, .home_address = kHome, .care_of = care_of});
  };
  SECTION("that of a solicitation which overtook the update") {
    bench.registered_at(kFirst);
    CHECK(advertise(kSecond));
    CHECK(bench.calls == Calls{"through 2", "prefixes 7", "through 1"});
  }
  SECTION("the bound one") {
    bench.registered_at(kFirst);
    CHECK(advertise(kFirst));
    CHECK(bench.calls == Calls{"prefixes 7"});
  }
  SECTION("that of a node without binding") {
    CHECK(advertise(kFirst));
    CHECK(bench.calls == Calls{"through 1", "prefixes 7", "straight"});
  }
  SECTION("none, if the kernel refuses the way") {
    bench.kernel.refuse = "through 1";
    CHECK_FALSE(advertise(kFirst));
    CHECK(bench.calls == Calls{"through 1", "straight"});
  }
  SECTION("or the message") {
    bench.kernel.refuse = "prefixes 7";
    CHECK_FALSE(advertise(kFirst));
    CHECK(bench.calls == Calls{"through 1", "prefixes 7", "straight"});
  }
}

TEST_CASE("a node at home is answered straight", "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  SECTION("what it sent before is let through") {
    CHECK(bench.calls_of(agent::RemoveBinding{kHome, true}) == Calls{"unbind, in flight stays", "straight"});
  }
  SECTION("after its binding was removed") {
    CHECK(bench.calls_of(agent::RemoveBinding{kHome}) == Calls{"unbind", "straight"});
    CHECK(bench.calls_of(acknowledgement(Status::kAccepted, std::nullopt)) == Calls{"send 0"});
  }
  SECTION("refused, so that its binding stays") {
    CHECK(bench.calls_of(acknowledgement(Status::kSequenceNumberOutOfWindow, std::nullopt)) ==
          Calls{"straight", "send 135", "through 1"});
  }
}

TEST_CASE("a refusal to a node at home goes onto the home link, though its packets are tunnelled", "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  auto refusal = acknowledgement(Status::kSequenceNumberOutOfWindow, std::nullopt);
  refusal.to_link_layer = true;
  CHECK(bench.calls_of(refusal) == Calls{"straight", "send 135 on the home link", "through 1"});
}

agent::BindingRecord with_link_local(const Ipv6Address& care_of, bool link_local) {
  return {.home_address = kHome, .care_of = care_of, .link_local = link_local};
}

TEST_CASE(
    "a link-local address that is asked for is intercepted before the acknowledgement, as long as the binding lives",
    "[performer]") {
  Bench bench;
  const agent::InstallBinding installed{.home_address = kHome, .care_of = kFirst, .first = true, .link_local = true};
  bench.performer.perform(agent::StoreRecord{with_link_local(kFirst, true)});
  CHECK(bench.calls == Calls{"bind 1", "intercept fe80::42", "through 1"});
  SECTION("announced when the record is stored") {
    bench.performer.store_waiting();
    CHECK(bench.calls_of(installed) == Calls{"advertise", "advertise fe80::42"});
    CHECK(bench.calls_of(agent::RemoveBinding{kHome}) == Calls{"unbind", "release fe80::42", "straight"});
  }
  SECTION("until the node asks for it no longer") {
    bench.performer.store_waiting();
    bench.performer.perform(installed);
    bench.calls.clear();
    bench.performer.perform(agent::StoreRecord{with_link_local(kFirst, false)});
    bench.performer.store_waiting();
    CHECK(bench.calls == Calls{"bind 1", "through 1", "save"});
    CHECK(bench.calls_of(agent::InstallBinding{.home_address = kHome, .care_of = kFirst}) == Calls{"release fe80::42"});
  }
  SECTION("not if the disk refuses") {
    bench.store.refuse = true;
    bench.performer.store_waiting();
    CHECK(bench.calls ==
          Calls{"bind 1", "intercept fe80::42", "through 1", "save", "release fe80::42", "unbind", "straight"});
  }
}

TEST_CASE("a link-local address that is asked for later is announced then, and released if the disk refuses",
          "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  bench.performer.perform(agent::StoreRecord{with_link_local(kFirst, true)});
  SECTION("announced") {
    bench.performer.store_waiting();
    CHECK(bench.calls_of(agent::InstallBinding{.home_address = kHome, .care_of = kFirst, .link_local = true}) ==
          Calls{"advertise fe80::42"});
  }
  SECTION("released; the binding stays") {
    bench.store.refuse = true;
    bench.performer.store_waiting();
    CHECK(bench.calls == Calls{"bind 1", "intercept fe80::42", "through 1", "save", "release fe80::42", "bind 1"});
  }
}

TEST_CASE("a binding whose link-local address the kernel does not intercept is not stored", "[performer]") {
  Bench bench;
  bench.kernel.refuse = "intercept fe80::42";
  bench.performer.perform(agent::StoreRecord{with_link_local(kFirst, true)});
  bench.performer.store_waiting();
  REQUIRE(bench.answers().size() == 1);
  CHECK_FALSE(bench.answers().front().second);
  CHECK(bench.calls == Calls{"bind 1", "intercept fe80::42", "unbind", "straight"});
}

TEST_CASE("of the link-local addresses that a killed process intercepted those without binding are released",
          "[performer]") {
  Bench bench;
  bench.performer.perform(
      agent::InstallBinding{.home_address = kHome, .care_of = kFirst, .first = true, .link_local = true});
  bench.calls.clear();
  bench.kernel.left_intercepted = {kHome, *Ipv6Address::parse("fe80::42"), *Ipv6Address::parse("fe80::43")};
  bench.performer.forget_former_bindings();
  CHECK(bench.calls == Calls{"release fe80::43"});
}

TEST_CASE("a claim to an address that is intercepted is answered, once a second, and the log names the node",
          "[performer]") {
  Bench bench;
  bench.performer.perform(
      agent::InstallBinding{.home_address = kHome, .care_of = kFirst, .first = true, .link_local = true});
  bench.calls.clear();
  const auto claimed = [&](const Ipv6Address& address, int seconds) {
    bench.calls.clear();
    bench.performer.claimed(address, mip6::BootTime{std::chrono::seconds{seconds}});
    return bench.calls;
  };
  CHECK(claimed(kHome, 0) == Calls{"advertise"});
  CHECK(bench.lines.back().find("node=laptop") != std::string::npos);
  CHECK(claimed(kHome, 0).empty());
  CHECK(claimed(*Ipv6Address::parse("fe80::42"), 0) == Calls{"advertise fe80::42"});
  CHECK(claimed(kHome, 1) == Calls{"advertise"});
  CHECK(claimed(kOther, 1).empty());
  bench.performer.perform(agent::RemoveBinding{kHome});
  CHECK(claimed(kHome, 3).empty());
  CHECK(claimed(*Ipv6Address::parse("fe80::42"), 3).empty());
}

TEST_CASE("a de-registration from away is answered through the care-of address after the binding went", "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  bench.performer.perform(agent::RemoveBinding{kHome});
  CHECK(bench.calls_of(acknowledgement(Status::kAccepted, kFirst)) == Calls{"through 1", "send 0", "straight"});
}

TEST_CASE("an acknowledgement whose way the kernel refuses is not sent by another way", "[performer]") {
  Bench bench;
  bench.kernel.refuse = "through 1";
  CHECK(bench.calls_of(acknowledgement(Status::kNotHomeSubnet, kFirst)) == Calls{"through 1", "straight"});
}

TEST_CASE("after a move that the kernel refused, which puts the policies there again, the SPI is chosen anew",
          "[performer]") {
  Bench bench;
  bench.performer.perform(ike::PeerKeysUp{kHome, 1, 2});
  bench.performer.perform(ike::PeerKeysUp{kHome, 3, 4});
  CHECK(bench.calls == Calls{"under 2"});
  bench.kernel.refuse = "move 2";
  CHECK(bench.calls_of(agent::MoveKeys{.home_address = kHome, .care_of = kSecond}) == Calls{"move 2", "under 2"});
}

TEST_CASE("keys that moved are told to both cores", "[performer]") {
  Bench bench;
  SECTION("moved") {}
  SECTION("refused by the kernel") { bench.kernel.refuse = "move 2"; }
  const bool moved = bench.kernel.refuse.empty();
  CHECK(bench.calls_of(agent::MoveKeys{.home_address = kHome, .care_of = kSecond}) == Calls{"move 2"});
  REQUIRE(bench.to_keying.size() == 1);
  const auto& told = std::get<ike::PeerEndpointMoved>(bench.to_keying.front());
  CHECK(told.care_of == kSecond);
  CHECK(told.accepted == moved);
  REQUIRE(bench.to_agent.size() == 1);
  CHECK(std::get<agent::KeysMoved>(bench.to_agent.front()).possible == moved);
}

TEST_CASE("keys that charon is to move once more are told to the kernel alone", "[performer]") {
  Bench bench;
  bench.performer.perform(ike::PeerMoveAgain{.home_address = kHome, .care_of = kSecond});
  CHECK(bench.calls == Calls{"move 2"});
  CHECK(bench.to_keying.empty());
  CHECK(bench.to_agent.empty());
}

TEST_CASE("keys that charon did not move are told to the core that answers updates", "[performer]") {
  Bench bench;
  bench.performer.perform(ike::PeerMoveFailed{kHome});
  REQUIRE(bench.to_agent.size() == 1);
  const auto& told = std::get<agent::KeysMoved>(bench.to_agent.front());
  CHECK(told.home_address == kHome);
  CHECK_FALSE(told.possible);
}

TEST_CASE("that a node has begun to use keys is told once, and again when charon has told of some", "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  bench.to_keying.clear();
  const auto told = [&] {
    std::vector<std::uint32_t> spis;
    for (const auto& one : std::exchange(bench.to_keying, {})) spis.push_back(std::get<ike::PeerKeysUsed>(one).spi_in);
    return spis;
  };
  using Spis = std::vector<std::uint32_t>;
  bench.performer.perform(ike::PeerKeysUp{kHome, 1, 101});
  CHECK(told().empty());
  bench.kernel.used = {1};
  SECTION("by an update, before it is judged") {
    bench.performer.update_came(kHome);
    CHECK(told() == Spis{1});
    bench.performer.update_came(kHome);
    CHECK(told().empty());
    return;
  }
  bench.calls_of(acknowledgement(Status::kAccepted, kFirst));
  bench.calls_of(acknowledgement(Status::kAccepted, kFirst));
  CHECK(told() == Spis{1});
  bench.performer.perform(ike::PeerKeysUp{kHome, 2, 102});
  CHECK(told() == Spis{1});
  bench.kernel.used = {1, 2};
  bench.performer.update_came(kHome);
  bench.performer.update_came(kHome);
  CHECK(told() == Spis{2});
}

TEST_CASE("acknowledgements go under keys that the node surely has", "[performer]") {
  Bench bench;
  bench.registered_at(kFirst);
  const auto acknowledge = [&] { return bench.calls_of(acknowledgement(Status::kAccepted, kFirst)); };
  const auto keys_up = [&](std::uint32_t in, std::uint32_t out) {
    bench.calls.clear();
    bench.performer.perform(ike::PeerKeysUp{kHome, in, out});
    return bench.calls;
  };
  CHECK(keys_up(1, 101) == Calls{"under 101"});
  bench.kernel.used = {1};
  CHECK(keys_up(2, 102).empty());
  CHECK(acknowledge() == Calls{"send 0"});

  SECTION("the new ones, once the node has used them") {
    bench.kernel.used = {1, 2};
    CHECK(acknowledge() == Calls{"close 1", "under 102", "send 0"});
    CHECK(acknowledge() == Calls{"send 0"});
    bench.kernel.gone = {101};
    CHECK(acknowledge() == Calls{"send 0"});
  }
  SECTION("the new ones, once the old are gone, though charon has not said so") {
    bench.kernel.gone = {101};
    CHECK(acknowledge() == Calls{"under 102", "send 0"});
  }
  SECTION("the new ones, when charon says that the old are gone") {
    bench.kernel.gone = {101};
    bench.calls.clear();
    bench.performer.perform(ike::PeerKeysChanged{kHome});
    CHECK(bench.calls == Calls{"under 102"});
  }
  SECTION("once more, where charon removed those between the look and the sending") {
    bench.kernel.goes_at_sending = {101};
    CHECK(acknowledge() == Calls{"send 0", "under 102", "send 0"});
    CHECK(bench.performer.sent_again() == 1);
    CHECK(acknowledge() == Calls{"send 0"});
    CHECK(bench.performer.sent_again() == 1);
  }
  SECTION("any, if none that is known is there") {
    bench.kernel.gone = {101, 102};
    CHECK(acknowledge() == Calls{"under 0", "send 0"});
    CHECK(keys_up(3, 103) == Calls{"under 103"});
  }
  SECTION("any, when keys are down") {
    bench.calls.clear();
    bench.performer.perform(ike::PeerKeysDown{kHome});
    CHECK(bench.calls == Calls{"under 0"});
  }
  SECTION("those of before, if the kernel refuses to change, and then the change is tried again") {
    bench.kernel.used = {2};
    bench.kernel.refuse = "under 102";
    CHECK(acknowledge() == Calls{"close 1", "under 102", "send 0"});
    CHECK(acknowledge() == Calls{"under 102", "send 0"});
  }
}

TEST_CASE("what a killed process left beside the present bindings goes", "[performer]") {
  const auto other = *Ipv6Address::parse("2001:db8:1::43");
  Bench bench;
  bench.registered_at(kSecond);
  bench.kernel.left = {{kHome, kFirst}, {kHome, kSecond}, {other, kFirst}, {other, kSecond}};
  bench.performer.forget_former_bindings();
  CHECK(bench.calls == Calls{"forget 1", "unbind other"});
}

TEST_CASE("what a killed process left intercepted goes too, though payload under ESP has no filter", "[performer]") {
  const auto other = *Ipv6Address::parse("2001:db8:1::43");
  Bench bench;
  bench.registered_at(kSecond);
  bench.kernel.left_intercepted = {kHome, other};
  SECTION("where there is no filter") {
    bench.performer.forget_former_bindings();
    CHECK(bench.calls == Calls{"unbind other"});
  }
  SECTION("once, where there is a filter") {
    bench.kernel.left = {{other, kFirst}};
    bench.performer.forget_former_bindings();
    CHECK(bench.calls == Calls{"unbind other"});
  }
  SECTION("not if the kernel does not tell; what the filters tell goes all the same") {
    bench.kernel.left = {{kHome, kFirst}};
    bench.kernel.intercepted_unknown = true;
    bench.performer.forget_former_bindings();
    CHECK(bench.calls == Calls{"forget 1"});
    CHECK(bench.performer.kernel_failures() == 1);
  }
}

TEST_CASE("the ends of tunnels are counted with and without ESP, each once", "[performer]") {
  const auto phone = *Ipv6Address::parse("2001:db8:1::43");
  Bench bench;
  CHECK(bench.performer.tunnel_ends() == 0);
  bench.performer.serve(phone, {.name = "phone", .reqid = 627502, .payload_reqid = 727502});
  bench.performer.perform(agent::InstallBinding{.home_address = phone, .care_of = kFirst, .first = true});
  CHECK(bench.performer.tunnel_ends() == 1);
  bench.registered_at(kSecond);
  bench.kernel.left = {{kHome, kFirst}, {kHome, kSecond}};  // filters, the former one not forgotten yet
  CHECK(bench.performer.tunnel_ends() == 3);
  bench.performer.perform(agent::RemoveBinding{.home_address = phone});
  CHECK(bench.performer.tunnel_ends() == 2);
}

TEST_CASE("an update under new keys closes the former ones before the core is told of it", "[performer]") {
  Bench bench;
  const auto update_came = [&] {
    bench.calls.clear();
    bench.performer.update_came(kHome);
    return bench.calls;
  };
  CHECK(update_came().empty());
  bench.performer.perform(ike::PeerKeysUp{kHome, 1, 101});
  bench.kernel.used = {1};
  CHECK(update_came().empty());
  bench.performer.perform(ike::PeerKeysUp{kHome, 2, 102});
  CHECK(update_came().empty());  // it came under the former ones
  bench.kernel.used = {1, 2};
  SECTION("once") {
    CHECK(update_came() == Calls{"close 1", "under 102"});
    CHECK(update_came().empty());
  }
  SECTION("again where the kernel refused") {
    bench.kernel.refuse = "close 1";
    CHECK(update_came() == Calls{"close 1", "under 102"});
    CHECK(update_came() == Calls{"close 1"});
    CHECK(bench.performer.kernel_failures() == 2);
  }
}

TEST_CASE("keys from before a restart that are told after new ones close nothing", "[performer]") {
  Bench bench;
  bench.kernel.used = {1, 2};
  bench.performer.perform(ike::PeerKeysUp{kHome, 2, 102});
  bench.calls.clear();
  bench.performer.perform(ike::PeerKeysUp{kHome, 1, 101});
  bench.performer.update_came(kHome);
  CHECK(std::ranges::none_of(bench.calls, [](const auto& call) { return call.starts_with("close"); }));
}

TEST_CASE("replacing keys is the keying core's business", "[performer]") {
  Bench bench;
  CHECK(bench.calls_of(agent::ReplaceKeys{kHome, kSecond}).empty());
  REQUIRE(bench.to_keying.size() == 1);
  const auto& asked = std::get<ike::PeerReplaceAsked>(bench.to_keying.front());
  CHECK(asked.home_address == kHome);
  CHECK(asked.care_of == kSecond);
}

TEST_CASE("the end of duplicate address detection comes back as an event", "[performer]") {
  Bench bench;
  bench.performer.perform(agent::StartDad{kHome});
  CHECK(bench.to_agent.empty());
  bench.kernel.dad_done(false);
  REQUIRE(bench.to_agent.size() == 1);
  CHECK_FALSE(std::get<agent::DadFinished>(bench.to_agent.front()).duplicate);
}

TEST_CASE("an address whose detection cannot be made is not taken for free", "[performer]") {
  Bench bench;
  bench.kernel.refuse = "dad";
  bench.performer.perform(agent::StartDad{kHome});
  REQUIRE(bench.to_agent.size() == 1);
  CHECK(std::get<agent::DadFinished>(bench.to_agent.front()).duplicate);
}

TEST_CASE("a report names the node", "[performer]") {
  Bench bench;
  bench.performer.perform(agent::Report{.home_address = kHome, .what = "registered", .status = Status::kAccepted});
  CHECK(bench.lines == std::vector<std::string>{"node=laptop home-address=2001:db8:1::42 registered"});
}

TEST_CASE("of the states noted those are deleted that are not live, none that came later", "[performer]") {
  Bench bench;
  bench.kernel.states = {1, 2, 3};
  bench.performer.perform(ike::NotePeerStates{kHome, 627501});
  bench.kernel.states.push_back(4);
  bench.performer.perform(ike::DeletePeerStatesExcept{kHome, 627501, {2, 3}, true});
  CHECK(bench.calls == Calls{"states", "delete states except 2,3 among 1,2,3"});
  bench.calls.clear();
  bench.performer.perform(ike::DeletePeerStatesExcept{kHome, 627501, {2, 3}});
  CHECK(bench.calls == Calls{"delete states except 2,3"});
}

TEST_CASE("nothing is deleted where the states could not be listed", "[performer]") {
  Bench bench;
  bench.kernel.refuse = "states";
  bench.performer.perform(ike::NotePeerStates{kHome, 627501});
  bench.performer.perform(ike::DeletePeerStatesExcept{kHome, 627501, {2}, true});
  CHECK(bench.calls == Calls{"states", "delete states except 2 among "});
  CHECK(bench.performer.kernel_failures() == 1);
}

TEST_CASE("payload is sent to where the node's new SAs run, other SAs change nothing", "[performer]") {
  Bench bench;
  bench.performer.perform(ike::PeerChildUp{kHome, ike::ChildKind::kPayload, 1, 2, kSecond});
  CHECK(bench.calls == Calls{"payload to 2"});
  bench.calls.clear();
  bench.performer.perform(ike::PeerChildUp{kHome, ike::ChildKind::kPrefixes, 1, 2, kSecond});
  bench.performer.perform(ike::PeerChildUp{kHome, ike::ChildKind::kPayload, 1, 2, std::nullopt});
  CHECK(bench.calls.empty());
}

TEST_CASE("that the disk takes records again is told", "[performer]") {
  Bench bench;
  bench.store.refuse = true;
  CHECK_FALSE(bench.store_record(kFirst));
  bench.store.refuse = false;
  CHECK(bench.store_record(kFirst));
  CHECK(bench.disk == std::vector<bool>{false, true});
  bench.kernel.refuse = "bind 2";
  CHECK_FALSE(bench.store_record(kSecond));  // the disk was not asked
  CHECK(bench.disk.size() == 2);
}

TEST_CASE("a node that goes while its first binding is being stored leaves nothing in the kernel", "[performer]") {
  Bench bench;
  bench.ask_to_store(kHome, kFirst);
  bench.calls.clear();
  bench.performer.perform(agent::RemoveBinding{kHome});
  CHECK(bench.calls == Calls{"unbind", "straight"});
  bench.ask_to_store(kHome, std::nullopt);
  bench.calls.clear();
  bench.performer.store_waiting();
  CHECK(bench.calls == Calls{"save 2"});
  CHECK(bench.performer.bound().empty());
  bench.performer.dismiss(kHome);
  CHECK(bench.performer.refused(kHome) == 0);
}

TEST_CASE("refusals of a node are counted by reason, and begin anew when it comes back", "[performer]") {
  Bench bench;
  const agent::Report refused{kHome, "Binding Update refused: x", Status::kSequenceNumberOutOfWindow, false};
  bench.performer.perform(refused);
  bench.performer.perform(refused);
  bench.performer.perform(agent::Report{kHome, "Binding Update dropped: y", std::nullopt, true});
  bench.performer.perform(agent::Report{kHome, "registered", Status::kAccepted, false});
  CHECK(bench.performer.refused_because(kHome) ==
        Counts{{"Binding Update refused: x", 2}, {"Binding Update dropped: y", 1}});
  CHECK(bench.performer.refused(kHome) == 3);
  CHECK(bench.performer.accepted(kHome) == 1);
  CHECK(bench.events.size() == 4);
  bench.performer.dismiss(kHome);
  bench.performer.perform(refused);
  CHECK(bench.performer.refused(kHome) == 0);
  bench.performer.serve(kHome, {.name = "laptop", .reqid = 627501});
  bench.performer.perform(refused);
  CHECK(bench.performer.refused(kHome) == 1);
}

}  // namespace
}  // namespace mip6ha
