// The whole home agent as a program, over a pretended kernel: configuration, database and loop are real ones.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "examples/home-agent/agent.hpp"
#include "libmip6/wire/message.hpp"
#include "mnd/linux/boot_timer.hpp"
#include "tests/agreeing_kernel.hpp"
#include "tests/unit/home-agent/operator_harness.hpp"

namespace mip6ha {

// What the pretended kernel has.
struct KernelState {
  std::map<mip6::Ipv6Address, std::uint32_t> required;         // ESP of these home addresses, with this reqid
  std::map<mip6::Ipv6Address, std::uint32_t> manual;           // SPI towards us of their keys set by hand
  std::map<mip6::Ipv6Address, mip6::Ipv6Address> tunnels;      // to care-of addresses
  std::vector<mip6::BindingAcknowledgement> acknowledgements;  // all that were sent
  std::function<void(const mip6::Ipv6Address&)> releasing;     // called while a node's policies go
  mnd::kernel::MobilitySocket::Received received;
  bool strangers_refused = false;
  std::uint64_t refused_by_policy = 0;
  bool all_removed = false;
};

class KernelInMemory final : public AgreeingKernel<AgentKernel> {
 public:
  using AgreeingKernel::release;
  KernelInMemory(boost::asio::io_context& loop, KernelState& state) : loop_{loop}, state_{state} {}

  Result protect(const NodeTable& nodes) override {
    for (const auto& [home_address, node] : nodes) state_.required[home_address] = node.reqid;
    return {};
  }
  Result protect_one(const Address& home_address, const NodeIdentity& node) override {
    state_.required[home_address] = node.reqid;
    return {};
  }
  Result release(const Address& home_address, const NodeIdentity&) override {
    state_.required.erase(home_address);
    state_.manual.erase(home_address);
    if (state_.releasing) state_.releasing(home_address);
    return {};
  }
  Result delete_states(const Address&, const NodeIdentity&) override { return {}; }
  Result delete_all_states() override { return {}; }
  tl::expected<std::set<std::uint32_t>, mip6::Error> reqids_with_states() override { return {}; }
  Result install_manual(const Address& home_address, std::uint32_t, const mnd::kernel::ManualKeys& keys) override {
    state_.manual[home_address] = keys.to_home_agent.spi;
    return {};
  }
  Result set_up_tunnel() override { return {}; }
  Result listen(mnd::kernel::MobilitySocket::Received received, mnd::kernel::MobilitySocket::Received) override {
    state_.received = std::move(received);
    return {};
  }
  std::uint64_t drops() const override { return 0; }
  Result refuse_strangers() override {
    state_.strangers_refused = true;
    return {};
  }
  Result admit_strangers() override {
    state_.strangers_refused = false;
    return {};
  }
  std::uint64_t refused_by_policy() const override { return state_.refused_by_policy; }
  Result watch_home_link(mnd::kernel::ClaimWatch::Claimed) override { return {}; }
  void take_waiting() override {}
  void stop_listening() override { state_.received = nullptr; }
  std::vector<mip6::Error> remove_all() override {
    state_.required.clear();
    state_.manual.clear();
    state_.tunnels.clear();
    state_.all_removed = true;
    return {};
  }

  Result bind(const Address& home_address, const Address& care_of) override {
    state_.tunnels[home_address] = care_of;
    return {};
  }
  Result unbind(const Address& home_address, bool) override {
    state_.tunnels.erase(home_address);
    return {};
  }
  std::vector<mnd::kernel::BoundCareOf> bound() const override {
    std::vector<mnd::kernel::BoundCareOf> all;
    for (const auto& [home_address, care_of] : state_.tunnels) all.push_back({home_address, care_of});
    return all;
  }
  Result send(std::span<const std::uint8_t> message, const Address&, bool) override {
    const auto parsed = mip6::parse_message(message);
    if (const auto* one = parsed ? std::get_if<mip6::BindingAcknowledgement>(&*parsed) : nullptr)
      state_.acknowledgements.push_back(*one);
    return {};
  }
  Result start_dad(const Address&, bool, int, std::function<void(bool)> done) override {
    boost::asio::post(loop_, [done = std::move(done)] { done(false); });
    return {};
  }

 private:
  boost::asio::io_context& loop_;
  KernelState& state_;
};

struct RunningAgent {
  using Result = tl::expected<Reloaded, Mistakes>;

  Operator admin;
  KernelState kernel;
  boost::asio::io_context loop;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy{loop.get_executor()};
  std::unique_ptr<Agent> agent;

  // With nodes whose keys are set by hand: they need no charon.
  explicit RunningAgent(const std::vector<std::string>& nodes) {
    std::ofstream{admin.config, std::ios::app} << "discovery = no\n";
    for (const auto& name : nodes) add(name);
    agent = std::make_unique<Agent>(
        loop, admin.loaded(), admin.config,
        [this](auto& on, const auto&, const auto&) -> tl::expected<std::unique_ptr<AgentKernel>, mip6::Error> {
          return std::make_unique<KernelInMemory>(on, kernel);
        });
    if (const auto started = agent->start(); !started) FAIL(started.error().to_string());
    admin.answer = nlohmann::json::object();  // whoever changes the configuration from here on reloads it, too
  }

  void add(const std::string& name, const std::optional<mip6::Ipv6Address>& address = {}) {
    const auto added = admin.add({.name = name, .address = address, .method = Method::kManual});
    if (!added) FAIL(added.error().front().to_string());
  }
  // Further settings at the top, in place of those that it was told before.
  void set(const std::string& lines) const {
    const std::filesystem::path folder = admin.config.string() + ".d";
    std::filesystem::create_directories(folder);
    std::ofstream{folder / "further.conf"} << lines;
  }
  // As the files say at present.
  NodeConfig configured(const std::string& name) const {
    for (auto& node : admin.loaded().nodes)
      if (node.name == name) return node;
    FAIL(name + " is not configured");
    return {};
  }
  mip6::Ipv6Address home(const std::string& name) const { return configured(name).home_address; }
  std::uint32_t spi(const std::string& name) const { return configured(name).manual_keys->to_home_agent.spi; }

  // The loop runs until it is so.
  template <typename Done>
  void until(Done done) {
    constexpr int kRounds = 60'000;  // a millisecond each: a guard against hanging
    for (int i = 0; i < kRounds && !done(); ++i) {
      loop.restart();
      loop.run_for(std::chrono::milliseconds{1});
    }
    REQUIRE(done());
  }
  std::shared_ptr<std::optional<Result>> begin_reload(const std::vector<std::string>& new_keys = {}) {
    auto told = std::make_shared<std::optional<Result>>();
    agent->reload(new_keys, [told](const auto& done) {
      CHECK_FALSE(*told);
      *told = done;
    });
    return told;
  }
  Reloaded reload(const std::vector<std::string>& new_keys = {}) {
    const auto told = begin_reload(new_keys);
    until([&] { return told->has_value(); });
    if (!**told) FAIL((**told).error().front().to_string());
    return ***told;
  }
  // In the middle of a reload: its turn ends with the job that calls this, and before the next one `then` is called.
  void between_turns(std::function<void()> then) {
    boost::asio::post(loop, std::move(then));
    const auto began = mnd::kernel::boot_now();
    while (mnd::kernel::boot_now() - began < Agent::kReloadTurn) continue;
  }
  // The answer to an update of this home address, from away and protected.
  mip6::BindingAcknowledgement update(const mip6::Ipv6Address& home_address, std::uint16_t sequence) {
    mip6::BindingUpdate update;
    update.sequence = mip6::SequenceNumber{sequence};
    update.acknowledge = update.home_registration = true;
    update.lifetime = mip6::Lifetime{600};
    const auto bytes = mip6::write_message(update);
    const auto before = kernel.acknowledgements.size();
    kernel.received({.source = home_address,
                     .destination = *mip6::Ipv6Address::parse("2001:db8:1::1"),
                     .home_address_option = mip6::Ipv6Address::parse("2001:db8:a1::7"),
                     .message = bytes});
    until([&] { return kernel.acknowledgements.size() > before; });
    return kernel.acknowledgements.back();
  }
  bool refused(const std::string& name) const {
    const auto node = agent->node(name);
    return node && node->trouble;
  }
};

}  // namespace mip6ha
