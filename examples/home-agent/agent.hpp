// The home agent as a program: opens kernel, disk and charon, feeds both cores, performs what they decide.
#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <tl/expected.hpp>
#include <unordered_map>
#include <variant>
#include <vector>

#include "examples/home-agent/agent_kernel.hpp"
#include "examples/home-agent/config.hpp"
#include "examples/home-agent/events.hpp"
#include "examples/home-agent/linux_kernel.hpp"
#include "examples/home-agent/metrics.hpp"
#include "examples/home-agent/metrics_server.hpp"
#include "examples/home-agent/other_agents.hpp"
#include "examples/home-agent/performer.hpp"
#include "examples/home-agent/rate_limit.hpp"
#include "examples/home-agent/sequence_use.hpp"
#include "examples/home-agent/snapshot.hpp"
#include "examples/home-agent/steering.hpp"
#include "examples/home-agent/store.hpp"
#include "examples/home-agent/strangers.hpp"
#include "ike-glue/agent_keying.hpp"
#include "ike-glue/session.hpp"
#include "libmip6/agent/behaviour.hpp"
#include "libmip6/agent/home_agent.hpp"
#include "libmip6/agent/home_agents_list.hpp"
#include "libmip6/agent/prefix_advertiser.hpp"
#include "mnd/linux/boot_timer.hpp"
#include "mnd/linux/control_server.hpp"
#include "mnd/linux/icmp6_socket.hpp"
#include "mnd/linux/link_monitor.hpp"
#include "mnd/linux/system_random.hpp"

namespace mip6ha {

class Agent final : public Steering {
 public:
  static constexpr mip6::Duration kStopLimit = std::chrono::seconds{2};
  // A new configuration is worked on for so long before others have their turn.
  static constexpr mip6::Duration kReloadTurn = std::chrono::milliseconds{5};

  // `config_file`: where `config` was read from, and is read again by reload().
  Agent(boost::asio::io_context& loop, Config config, std::filesystem::path config_file,
        OpenKernel open_kernel = LinuxKernel::open);

  // Opens everything, in the order that lets no update in the clear through; an error ends the program. What was opened
  // until then is taken out of the kernel again.
  tl::expected<void, mip6::Error> start();
  // Takes everything of ours out of charon and the kernel, in at most kStopLimit, and then ends the loop. Bindings stay
  // on disk.
  void stop();

  // agent_views.cpp: what the control socket is told
  Snapshot snapshot() const override;
  Bindings bindings() const override;
  std::optional<NodeView> node(const std::string& name) const override;
  nlohmann::json events() const override;
  std::vector<Finding> examine() const override;
  // agent_live.cpp: what changes while it runs
  tl::expected<std::filesystem::path, mip6::Error> make_copy() override;
  std::filesystem::path backup_place() const override { return config_.state_directory / "agent.db.import"; }
  tl::expected<Imported, mip6::Error> take_back() override;  // agent_import.cpp
  tl::expected<Ban, mip6::Error> ban(const std::string& name, const std::string& why) override;
  tl::expected<void, mip6::Error> unban(const std::string& name) override;
  // agent_reload.cpp
  void reload(const std::vector<std::string>& new_keys, ReloadDone done) override;

 private:
  using Event = std::variant<mip6::agent::Event, ike::AgentKeyingEvent>;

  tl::expected<void, mip6::Error> open();
  // agent_nodes.cpp: who is configured, and who is served at the start
  void index_nodes();
  tl::expected<void, mip6::Error> read_bans();
  tl::expected<void, mip6::Error> store_reqids(const std::vector<const NodeConfig*>& nodes);
  tl::expected<NodeTable, mip6::Error> read_nodes();
  tl::expected<NodeIdentity, mip6::Error> reqids_of(const NodeConfig& node);
  void enter(const mip6::Ipv6Address& home_address, const NodeIdentity& identity);
  ike::AgentKeyingNode keying_node(const NodeConfig& node) const;
  tl::expected<void, mip6::Error> drop_keys_of_lost_numbers();
  tl::expected<void, mip6::Error> take_up_bindings(const std::vector<mip6::agent::BindingRecord>& records);
  tl::expected<void, mip6::Error> open_control();
  tl::expected<void, mip6::Error> judge_manual_keys();
  tl::expected<void, mip6::Error> install_manual_keys();
  void make_cores();
  void make_performer(NodeTable nodes);
  void connect_charon();

  // agent_live.cpp. The end of several at once costs one sync of the disk.
  tl::expected<void, mip6::Error> serve(const NodeConfig& node);
  tl::expected<void, mip6::Error> judge_again(const NodeConfig& node);
  void end_services(std::vector<const NodeConfig*> nodes);
  void dismiss(const NodeConfig& node);
  tl::expected<void, mip6::Error> rotate(const NodeConfig& node);
  bool is_missing(const NodeConfig& node) const { return !is_banned(node) && !reqids_.contains(node.home_address); }
  std::vector<const NodeConfig*> missing() const;
  bool prepare(const std::vector<const NodeConfig*>& nodes, std::vector<TroubleView>& failed);
  void serve_if_missing(const NodeConfig& node, std::vector<TroubleView>& failed);
  // agent_reload.cpp
  struct Reload;
  void read_configuration();
  void take_configuration(tl::expected<Config, Mistakes> read);
  void work_on_reload();
  void end_for_good(const std::vector<const NodeConfig*>& nodes);
  void adopt_configuration();
  void serve_missing();
  void end_reload(const tl::expected<Reloaded, Mistakes>& result);
  void take_as_new_if_refused(Reload& reload);
  void make_new(const NodeConfig& node, std::vector<TroubleView>& failed);
  void tell_of(const Reloaded& told);

  void tell_banned();
  tl::expected<void, mip6::Error> take_back_bans(Imported& done);
  const NodeConfig* find_node(const std::string& name) const;
  NodeIdentity identity_of(const mip6::Ipv6Address& home_address) const;
  bool is_banned(const NodeConfig& node) const { return bans_.contains(node.name); }

  // Events queue up while one is handled: a core is never called from within its own actions.
  void post(Event event);
  void drain();
  void handle(const mip6::agent::Event& event);
  void handle(const ike::AgentKeyingEvent& event);
  void perform(const ike::AgentKeyingAction& action);
  void on(const ike::Request& request);
  void on(const ike::PeerKeysUp& action);
  void on(const ike::PeerEstablished& action);
  void on(const ike::PeerKeysChanged& action);
  void on(const ike::PeerKeysDown& action);
  void on(const ike::PeerChildUp& action);
  void on(const ike::PeerChildDown& action);
  void on(const ike::NotePeerStates& action);
  void on(const ike::DeletePeerStatesExcept& action);
  void on(const ike::PeerMoveAgain& action);
  void on(const ike::PeerMoveFailed& action);
  void on(const ike::PeerRefused& action);
  void on(const ike::Trouble& trouble);
  void on(const ike::Step& step);
  void on(const ike::Stopped& stopped);

  void received(const mnd::kernel::MobilityPacket& packet);
  // agent_watch.cpp: nodes that behave ill, floods of strangers, and the metrics
  bool admits(const mip6::BindingUpdate& update, const mip6::Ipv6Address& home_address);
  void watch(const mip6::agent::Action& action);
  void behave(const mip6::agent::BehaviourEvent& event);
  void on(const mip6::agent::BanNode& action);
  void on(const mip6::agent::UnbanNode& action);
  void watch_stranger();
  void look_at_strangers();
  void take_up_ban(const StoredBan& ban);
  void forget_ban(const std::string& name);
  void forget_behaviour(const NodeConfig& node);
  void open_metrics();
  Metrics metrics() const;
  Figures figures() const;  // agent_views.cpp
  // agent_prefixes.cpp: what is advertised of the home link, and mobile prefix discovery
  mip6::agent::HomePrefixes home_prefixes() const;
  void begin_prefix_lifetime();
  void prefixes_changed();
  void received_prefixes(const mnd::kernel::MobilityPacket& packet);
  void note_binding(const mip6::agent::Action& action);
  void prefix_sa(const mip6::Ipv6Address& home_address, bool up);
  void advertise(const mip6::agent::PrefixEvent& event);
  // agent_discovery.cpp: home agent address discovery, and the other home agents of the link
  tl::expected<std::set<mip6::Ipv6Address>, mip6::Error> doubtful(
      const std::vector<mip6::agent::BindingRecord>& records);
  void open_discovery();
  void open_requests();
  void received_advertisement(const mnd::kernel::Icmp6Packet& packet);
  void received_request(const mnd::kernel::Icmp6Packet& packet);
  void discover(const mip6::agent::DiscoveryEvent& event);
  void watch_link();
  void link_changed(const mnd::kernel::NetworkState& network);
  void unrecognized(const mip6::Message& message, const mnd::kernel::MobilityPacket& packet);
  void drop(std::string_view reason, const mip6::Ipv6Address& source);
  void session_connected(bool slow);
  void session_lost(bool slow, const mip6::Error& why);
  void deadline_reached();
  void arm_timer();
  void finish();
  void note(const mip6::Error& error);
  void disk_answered(bool stored);
  void clear_trouble();  // but for that of the disk, which only the disk clears
  void ask_charon();     // what `doctor` wants to know of it
  void tell(const mip6::Ipv6Address& home_address, std::string_view what, std::string_view remedy = {});
  void tell(std::string_view name, std::string_view what, std::string_view remedy = {});
  bool needs_charon() const;  // some node's keys are made by it
  std::vector<TroubleView> advice() const;
  std::optional<TroubleView> objection_to(const NodeConfig& node) const;  // why its manual keys are not used
  BindingView binding_of(const NodeConfig& node) const;
  std::string name_of(const mip6::Ipv6Address& home_address) const;

  boost::asio::io_context& loop_;
  Config config_;  // as configured: of its nodes those without a ban are served
  std::filesystem::path config_file_;
  OpenKernel open_kernel_;
  std::unordered_map<std::string_view, const NodeConfig*> by_name_;  // into config_
  std::unordered_map<mip6::Ipv6Address, const NodeConfig*> by_address_;
  mutable std::weak_ptr<const std::vector<std::string>> names_;  // of all nodes, while somebody lists them
  std::map<std::string, Ban> bans_;                              // by name; also of nodes that are not configured
  mip6::agent::Behaviour behaviour_;
  std::set<std::string> banned_for_a_while_;  // names: of bans_ those that end by themselves
  SequenceUse sequence_use_;
  std::map<mip6::Ipv6Address, std::uint32_t> reqids_;
  std::set<mip6::Ipv6Address> numbers_known_;                  // home addresses whose last sequence number is on disk
  std::map<mip6::Ipv6Address, std::uint32_t> payload_reqids_;  // of nodes whose payload is protected
  std::unique_ptr<Store> store_;
  std::unique_ptr<AgentKernel> kernel_;
  std::unique_ptr<Performer> performer_;
  mip6::agent::ServedNodes served_;
  std::unique_ptr<mip6::agent::HomeAgent> home_agent_;
  std::unique_ptr<ike::AgentKeying> keying_;
  mnd::kernel::SystemRandom random_;
  std::unique_ptr<mip6::agent::PrefixAdvertiser> advertiser_;
  mip6::BootTime prefix_end_ = mip6::agent::kForever;  // of config_.prefix
  std::set<mip6::Ipv6Address> prefix_sas_;             // nodes that advertisements can reach under ESP
  std::optional<OtherAgents> others_;
  std::unique_ptr<mip6::agent::HomeAgentsList> list_;
  std::unique_ptr<mnd::kernel::Icmp6Socket> advertisements_;
  std::unique_ptr<mnd::kernel::Icmp6Socket> requests_;
  std::unique_ptr<mnd::kernel::LinkMonitor> links_;
  std::uint32_t home_link_ = 0;          // its interface index
  std::set<mip6::Ipv6Address> anycast_;  // of the home agents, in each prefix
  bool link_was_running_ = true;
  RequestLimit request_limit_;
  std::uint64_t requests_answered_ = 0;
  std::unique_ptr<ike::Session> fast_session_;
  std::unique_ptr<ike::Session> slow_session_;
  std::unique_ptr<mnd::kernel::ControlServer> control_;
  std::unique_ptr<MetricsServer> metrics_;
  std::unique_ptr<mnd::kernel::BootTimer> timer_;
  std::unique_ptr<mnd::kernel::BootTimer> stop_timer_;

  std::deque<Event> queue_;
  bool draining_ = false;
  bool fast_connected_ = false;
  bool slow_connected_ = false;
  std::optional<mip6::Error> lost_because_;  // why charon is not connected
  bool stopping_ = false;
  bool stopped_cleanly_ = false;  // charon has nothing of ours any more, if it was there all the time
  bool lost_while_stopping_ = false;
  bool finished_ = false;
  RateLimit malformed_;
  StrangerLimit strangers_;
  bool strangers_refused_ = false;  // by a policy of ours
  struct Keys {
    mip6::BootTime since{};
    std::uint32_t spi_in = 0;  // of the last pair that came up
    std::uint32_t spi_out = 0;
  };
  std::map<mip6::Ipv6Address, Keys> keys_up_;
  std::map<std::string, std::uint64_t> keys_refused_;
  std::map<mip6::Ipv6Address, Counts> keys_refused_of_;  // who claimed to be this node, banned or not
  std::set<mip6::Ipv6Address> payload_up_;
  std::map<mip6::Ipv6Address, std::string> manual_refused_;  // home addresses whose manual keys are not used, and why
  std::optional<TroubleView> trouble_;
  bool trouble_of_disk_ = false;
  Events events_;
  std::string charon_version_;
  std::vector<std::string> charon_plugins_;
  std::deque<std::shared_ptr<Reload>> reloads_;  // the first one is under way
  std::jthread reader_;                          // of its configuration; the last member: ends before all others go
};

}  // namespace mip6ha
