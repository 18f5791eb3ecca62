// A mobile node registers with its home agent: both cores and the bytes between them, in one process, without a
// network.
#include <cstdio>
#include <libmip6/agent/home_agent.hpp>
#include <libmip6/node/home_registration.hpp>

using namespace mip6;

static Ipv6Address address(const char* text) { return Ipv6Address::parse(text).value(); }
static const Ipv6Address kHome = address("2001:db8:1::42"), kCareOf = address("2001:db8:a1::7");

struct Both {
  BootTime now{std::chrono::seconds{1000}};  // time is the caller's: a program reads CLOCK_BOOTTIME
  node::HomeRegistration node{node::Policy{.home_address = kHome, .home_agent = address("2001:db8:1::1")},
                              SequenceState{SequenceNumber{1}}};
  agent::ServedNodes served{{{.home_address = kHome}}};
  agent::HomeAgent home_agent{
      agent::Policy{.address = address("2001:db8:1::1"),
                    .home_prefixes = {agent::HomePrefix{.prefix = *Ipv6Prefix::parse("2001:db8:1::/64")}}},
      served};

  void tell_node(const node::Event& event) {  // events go in, actions come out, to be performed in their order
    for (const auto& action : node.handle(event, now)) std::visit([this](const auto& a) { perform(a); }, action);
  }
  void tell_agent(const agent::Event& event) {
    for (const auto& action : home_agent.handle(event, now)) std::visit([this](const auto& a) { perform(a); }, action);
  }

  void perform(const node::ReserveSequence& wanted) { tell_node(node::SequenceReserved{wanted.end}); }  // "on disk"
  void perform(const node::NeedKeys&) { tell_node(node::KeysUsable{.can_migrate = true, .fresh = true}); }
  void perform(const node::SendUpdate& send) {
    const Bytes packet = write_message(send.update);  // ESP, home address option and checksum are the kernel's
    std::printf("Binding Update, %zu bytes\n", packet.size());
    const auto message = parse_message(packet);
    if (!message) return;  // message.error() says where and why
    tell_agent(agent::UpdateReceived{std::get<BindingUpdate>(*message), kHome, kCareOf, 1'700'000'000});
  }
  void perform(const agent::StartDad& dad) { tell_agent(agent::DadFinished{dad.home_address, false}); }
  void perform(const agent::StoreRecord& store) { tell_agent(agent::RecordStored{store.record.home_address, true}); }
  void perform(const agent::InstallBinding& binding) {
    std::printf("tunnel to %s\n", binding.care_of.to_string().c_str());
  }
  void perform(const agent::MoveKeys& keys) { tell_agent(agent::KeysMoved{keys.home_address, true}); }
  void perform(const agent::SendAcknowledgement& send) {
    std::printf("Binding Acknowledgement: status %d\n", static_cast<int>(send.acknowledgement.status));
    tell_node(node::AcknowledgementReceived{send.acknowledgement});
  }
  void perform(const node::Registered& registered) {
    std::printf("registered for %lld s\n", static_cast<long long>(registered.lifetime.count()));
  }
  template <class Other>
  void perform(const Other&) {}  // the rest is for a kernel, a key manager and a log
};

int main() {
  Both both;
  both.tell_node(node::Attached{{.interface = 2, .care_of = kCareOf, .gateway = address("fe80::a1")}});
  return both.node.state() == node::State::kRegistered ? 0 : 1;
}
