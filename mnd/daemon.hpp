// The daemon: composes the protocol core, the keying core and the Linux layer on one loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ike-glue/node_keying.hpp"
#include "ike-glue/session.hpp"
#include "libmip6/node/link_health.hpp"
#include "libmip6/node/mobile_node.hpp"
#include "libmip6/node/movement.hpp"
#include "libmip6/node/router_solicitation.hpp"
#include "mnd/config.hpp"
#include "mnd/config_change.hpp"
#include "mnd/doctor.hpp"
#include "mnd/journal.hpp"
#include "mnd/linux/boot_timer.hpp"
#include "mnd/linux/control_server.hpp"
#include "mnd/linux/esp_tunnel.hpp"
#include "mnd/linux/icmp6_socket.hpp"
#include "mnd/linux/icmp_error_socket.hpp"
#include "mnd/linux/interface_settings.hpp"
#include "mnd/linux/link_monitor.hpp"
#include "mnd/linux/mobility_socket.hpp"
#include "mnd/linux/resume.hpp"
#include "mnd/linux/rule_monitor.hpp"
#include "mnd/linux/signals.hpp"
#include "mnd/linux/system_random.hpp"
#include "mnd/linux/tunnel.hpp"
#include "mnd/linux/xfrm.hpp"
#include "mnd/manual_store.hpp"
#include "mnd/repair_time.hpp"
#include "mnd/sequence_store.hpp"
#include "mnd/trace.hpp"
#include "mnd/troubles.hpp"
#include "mnd/wishes.hpp"

namespace mnd {

class Daemon {
 public:
  // Starts this program once more in its place; comes back only if that failed.
  using StartAgain = std::function<mip6::Error()>;

  // `config` is what `config_file` says.
  Daemon(boost::asio::io_context& loop, Config config, std::filesystem::path config_file, StartAgain start_again);

  // Opens the control socket; everything else is brought up from the loop, with back-off, so that `mip6ctl status` can
  // say what is missing. An error: the daemon cannot run at all (another one does, or no permission).
  tl::expected<void, mip6::Error> start();
  // At the end: it was to start anew, and could not.
  bool failed() const { return failed_; }

 private:
  using KeyingEvent = ike::NodeKeyingEvent;
  // --- daemon.cpp: start, deadlines, stop ---
  void bring_up();
  tl::expected<void, mip6::Error> bring_up_kernel();
  tl::expected<void, mip6::Error> bring_up_payload();
  void start_registration();
  void start_keying();
  void charon_connected();
  void charon_lost(const mip6::Error& why);
  void deadline();
  void rearm();
  void caught(int signal);
  void stop(const std::string& why);
  void clean_up();
  void delete_esp_states_except(std::uint32_t reqid, const std::vector<std::uint32_t>& spis);

  // --- repair.cpp: what happened behind our back ---
  void resumed(mip6::Duration slept);
  // Whether device, home address and routes are as we have made them.
  bool is_complete(const kernel::NetworkState& network) const;
  void look_after_ours(const kernel::NetworkState& network);
  void repair();
  tl::expected<void, mip6::Error> set_up_again();

  // --- movement.cpp: which address the node is reachable at ---
  void network_changed(const kernel::NetworkState& network);
  void follow_name(const kernel::NetworkState& network);
  void ask_for_optimistic_dad(const kernel::NetworkState& network);
  void reconsider();  // what is known of links or home agents has changed, the network has not
  std::vector<mip6::Choice> usable_attachments(const kernel::NetworkState& network);
  void solicit_routers(const kernel::NetworkState& network);
  void add_path_to_home_agent(const mip6::Attachment& attachment);
  void set_local_paths(const kernel::NetworkState& network);
  // Those away that were not there when this was asked last.
  std::vector<mip6::Attachment> newly_usable(const std::vector<mip6::Choice>& usable);
  void announce(const std::vector<mip6::Attachment>& care_of_addresses, const kernel::NetworkState& network);
  void follow(const std::vector<mip6::Choice>& usable);

  // --- network_events.cpp: what a manager of networks says ---
  mip6::MovementPolicy movement_policy();
  kernel::ControlServer::Answer network_event(const nlohmann::json& request);

  // With the present home agent; nullptr before the start.
  const mip6::node::HomeRegistration* registration() const { return node_ ? &node_->registration() : nullptr; }

  // --- agents.cpp: which home agent ---
  std::vector<mip6::Ipv6Address> home_agents() const;
  void perform(const mip6::node::UseHomeAgent& action);
  void perform(const mip6::node::UseHomeAddress& action);
  void perform(const mip6::node::SendDiscoveryRequest& action);
  void received_discovery(const kernel::Icmp6Packet& packet);
  void leave_agent();
  void drop_news_of_former_agent();
  void leave_keying();
  void enter_keying();
  bool is_for_next_keying(const KeyingEvent& event) const;
  void remember_agent();

  // --- packets.cpp: what comes in ---
  void received(const kernel::MobilityPacket& packet);
  void received_at_care_of(const kernel::MobilityPacket& packet);
  void received(const mip6::ParameterProblem& problem);
  void drop(std::string_view reason, const kernel::MobilityPacket& packet);

  // --- actions.cpp: what the cores decided ---
  void feed(mip6::node::MobileEvent event);
  void feed(KeyingEvent event);
  void drain();
  void handle(const mip6::node::MobileEvent& event);
  void handle(const KeyingEvent& event);
  void perform(const mip6::node::UseAttachment& action);
  void perform(const mip6::node::SendUpdate& action);
  void perform(const mip6::node::SwitchOutbound& action);
  void perform(const mip6::node::StopOutbound& action);
  void perform(const mip6::node::ReserveSequence& action);
  void perform(const mip6::node::NeedKeys& action);
  void perform(const mip6::node::MoveOwnKeys& action);
  void perform(const mip6::node::MoveKeys& action);
  void perform(const mip6::node::RenewKeys& action);
  void perform(const mip6::node::AnnounceHomeAddress& action);
  void perform(const mip6::node::Registered& action);
  void perform(const mip6::node::Trouble& action);
  void perform(const mip6::node::PrefixDiscoveryNecessary& action);
  void perform(const mip6::node::NotServed& action);
  void perform(const mip6::node::Unanswered& action);
  void perform(const mip6::node::AgentSilent& action);
  void perform(const mip6::node::Stopped& action);
  void perform(const ike::Request& action);
  void perform(const ike::FollowLog& action);
  void perform(const ike::KeysUp& action);
  void perform(const ike::KeysDown& action);
  void perform(const ike::MoveOwnEndpoint& action);
  void perform(const ike::DeleteStatesExcept& action);
  void perform(const ike::ChildUp& action);
  void perform(const ike::ChildDown& action);
  void perform(const ike::DeleteChildStatesExcept& action);
  void perform(const ike::Trouble& action);
  void perform(const ike::Step& action);
  void perform(const ike::Stopped& action);
  tl::expected<void, mip6::Error> remove_payload_protection();
  // Our own IKE endpoint becomes `local`; true if the kernel took it.
  bool move_key_endpoint(const mip6::Ipv6Address& local);
  // Payload leaves this way from now on.
  tl::expected<void, mip6::Error> send_by(const mip6::Attachment& attachment);
  void leave_home_link();
  void prefer_home_address(bool preferred);
  // Reports a failed kernel call of that kind, or that the kind works again; true if it succeeded.
  bool done(const std::string& kind, const tl::expected<void, mip6::Error>& result);
  void trouble(const std::string& source, std::string what, std::string remedy, bool local = false);

  // --- manual.cpp: keys set by hand, and the numbers of all keys ---
  bool manual() const { return config_.keying == Keying::kManual; }
  tl::expected<void, mip6::Error> set_up_manual_keys();
  void tell_manual_keys();
  void restore_manual_states();
  bool store_numbers(const mip6::SequenceState& numbers);
  void warn_of_numbers();
  Health health() const;
  nlohmann::json findings(const nlohmann::json& missing) const;  // of the kernel, as mip6ctl has seen it
  nlohmann::json advice() const;
  void read_others(Health& seen) const;
  nlohmann::json sequence() const;

  // --- prefixes.cpp: mobile prefix discovery ---
  void perform(const mip6::node::SendPrefixSolicitation& action);
  void perform(const mip6::node::PrefixesLearned& action);
  void prefix_sa(bool up);
  void received_prefixes(const kernel::MobilityPacket& packet);

  // --- control.cpp: what is asked over the control socket, and by whom ---
  using Told = std::function<void(std::string line)>;
  kernel::ControlServer::Answer control(const nlohmann::json& request, kernel::Asker asker);

  // --- steering.cpp: what the user wants ---
  void refresh();
  std::string refresh_asked();
  std::string pause();
  std::string resume();
  void deregister(const Told& told);
  void deregistered(mip6::node::Farewell farewell);
  void go_quiet();
  std::string set_wishes(Wishes wishes);

  // --- reload.cpp: another configuration, another program ---
  tl::expected<Config, std::string> read_config_anew();
  std::string reload();
  void apply(Config config, const ConfigChange& change);
  std::string restart();
  void start_anew_soon();
  void take_over_soon();
  void take_over();
  void change_credentials();

  // --- views.cpp: what the control socket tells beside the status ---
  nlohmann::json links() const;
  nlohmann::json keying_view();
  nlohmann::json config_view() const;
  nlohmann::json version_view() const;

  // --- status.cpp ---
  nlohmann::json status() const;
  nlohmann::json warnings() const;  // [{what, remedy}]: what works, but is dangerous or will end badly
  std::string keying_state() const;
  std::string_view payload_text() const;
  std::string interface_name(std::uint32_t index) const;
  void traced(std::string_view step) { trace_.step(std::chrono::steady_clock::now(), step); }
  Trace::Place place_of(const mip6::Attachment& attachment) const;
  void publish_status();

  boost::asio::io_context& loop_;
  Config config_;
  const std::filesystem::path config_file_;
  const StartAgain start_again_;
  const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  SequenceStore store_;
  std::optional<mip6::Ipv6Address> stored_agent_;  // the one that the disk knows as the last that served us
  kernel::Ends ends_;                              // no home agent as long as none is known
  mip6::MovementPolicy movement_;
  Journal journal_;
  Trace trace_;
  ManualStore manual_store_;
  kernel::Signals signals_;
  kernel::BootTimer timer_;
  kernel::ResumeWatch resume_;
  kernel::OptimisticDad optimistic_dad_;
  WishStore wish_store_;
  Wishes wishes_;
  std::uint32_t paused_interface_ = 0;  // the index of the one that is named there, once it was seen
  std::vector<Told> deregistering_;     // who waits to be told that it is done
  bool forget_node_ = false;            // once its actions are performed: it has de-registered

  std::unique_ptr<kernel::ControlServer> control_;
  std::optional<kernel::Xfrm> xfrm_;
  std::optional<kernel::NodeTunnel> tunnel_;
  std::optional<kernel::EspTunnel> esp_tunnel_;             // with protect = payload
  std::unique_ptr<kernel::MobilitySocket> socket_;          // at the home address: everything that ESP protects
  std::unique_ptr<kernel::MobilitySocket> care_of_socket_;  // at any address: Binding Errors
  std::unique_ptr<kernel::MobilitySocket> prefix_socket_;   // at the home address: prefix advertisements
  std::unique_ptr<kernel::IcmpErrorSocket> icmp_errors_;
  std::unique_ptr<kernel::Icmp6Socket> discovery_socket_;  // replies to who asks for home agents
  std::unique_ptr<kernel::LinkMonitor> monitor_;
  std::unique_ptr<kernel::RuleMonitor> rule_monitor_;
  std::unique_ptr<ike::Session> fast_;  // everything but initiate and terminate, and the events
  std::unique_ptr<ike::Session> slow_;
  bool fast_connected_ = false;
  bool slow_connected_ = false;
  bool vici_forbidden_ = false;
  bool send_forbidden_ = false;              // the last update, by the kernel
  std::vector<std::string> charon_plugins_;  // none: it has not said
  std::optional<std::string> charon_version_;
  bool charon_told_ = false;  // the keying core knows of the connection

  kernel::SystemRandom random_;
  std::optional<mip6::node::MobileNode> node_;
  std::unique_ptr<ike::NodeKeying> keying_;  // with the present home agent, or on its way out with a former one
  std::uint64_t keying_generation_ = 0;      // whose requests are answered
  bool keying_leaves_ = false;
  int unanswered_requests_ = 0;  // for home agents, in a row
  std::deque<KeyingEvent> for_next_keying_;
  std::optional<ManualStart> manual_start_;
  bool had_manual_record_ = false;
  std::optional<mip6::SequenceState> stored_numbers_;  // what the disk holds
  mip6::SequenceUse sequence_use_ = mip6::SequenceUse::kPlenty;
  std::deque<std::variant<mip6::node::MobileEvent, KeyingEvent>> pending_;
  bool draining_ = false;
  bool reconsider_ = false;       // once the events that wait are handled
  bool local_paths_due_ = false;  // once the present attachment is known

  std::vector<mip6::Attachment> known_usable_;
  mip6::node::LinkHealth link_health_;
  mip6::node::RouterSolicitation solicitation_{random_};
  // A former process may have left the home address on the home link, we don't know which; and so may we, where the
  // kernel refused to take it away.
  bool maybe_on_home_link_ = true, maybe_on_other_link_ = true;
  std::uint32_t home_link_ = 0;
  bool prefix_sa_ = false;       // charon has an SA pair for prefix discovery
  bool prefixes_asked_ = false;  // with prefix-discovery = yes: after the first registration
  std::optional<mip6::node::SendPrefixSolicitation> unsent_solicitation_;  // waits for that SA pair
  bool payload_sa_ = false;     // with protect = payload: charon has an SA pair for it
  bool settled_ = true;         // as the keying core was told
  bool ready_to_send_ = false;  // the kernel has what an update from the attachment needs
  std::string attachment_reason_;
  std::optional<mip6::Attachment> outbound_;  // the way that payload leaves, if it may
  std::uint64_t routes_taken_ = 0;            // those that are repaired
  RepairTime repair_time_;
  std::optional<bool> preferred_;  // new connections choose the home address; unknown after a start
  Troubles troubles_;
  std::map<std::string, std::uint64_t, std::less<>> dropped_;  // Mobility Header messages, by reason
  mip6::Duration bring_up_backoff_ = std::chrono::seconds{1};
  std::optional<mip6::BootTime> bring_up_again_;
  std::optional<mip6::BootTime> stop_guard_;
  bool stopping_ = false;
  bool start_again_when_stopped_ = false;
  bool failed_ = false;
};

}  // namespace mnd
