// CharonModel: its VICI commands and events.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "tests/simulation/charon_model_impl.hpp"

namespace mip6::simulation {
namespace {

using ike::Section;

constexpr auto kCommandTime = 1ms;
constexpr auto kLongestListing = 5ms;  // events overtake what is listed
constexpr auto kSocketTime = 200us;

Section success() { return Section{}.set("success", "yes"); }
Section failure(std::string why) { return Section{}.set("success", "no").set("errmsg", std::move(why)); }

std::string first_of(const Section& section, std::string_view key) {
  const auto* values = section.list(key);
  return values && !values->empty() ? values->front() : section.text_or(key, "");
}

std::uint64_t number(const std::string* text) {
  std::uint64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

Duration seconds(const Section& section, std::string_view key) {
  return std::chrono::seconds{number(section.text(key))};  // "3600s"
}

// "2001:db8:1::42/128[135]"
std::optional<Ipv6Prefix> selector(const Section& section, std::string_view key) {
  const auto text = first_of(section, key);
  return Ipv6Prefix::parse(std::string_view(text).substr(0, text.find('[')));
}

const char* name_of(Sa::State state) {
  switch (state) {
    case Sa::State::kConnecting:
      return "CONNECTING";
    case Sa::State::kEstablished:
      return "ESTABLISHED";
    case Sa::State::kRekeying:
      return "REKEYING";
    case Sa::State::kRekeyed:
      return "REKEYED";
    case Sa::State::kDeleting:
      return "DELETING";
  }
  return "";
}

const char* name_of(ChildSa::State state) {
  switch (state) {
    case ChildSa::State::kInstalled:
      return "INSTALLED";
    case ChildSa::State::kRekeying:
      return "REKEYING";
    case ChildSa::State::kRekeyed:
      return "REKEYED";
    case ChildSa::State::kDeleted:
      return "DELETED";
  }
  return "";
}

std::string name_of(const Sa& sa) { return sa.configured ? sa.configured->name : "(unnamed)"; }

Section described(const Sa& sa) {
  Section section;
  section.set("uniqueid", std::to_string(sa.uniqueid))
      .set("version", "2")
      .set("state", name_of(sa.state))
      .set("local-host", sa.local.to_string())
      .set("remote-host", sa.remote.to_string());
  if (sa.configured) section.set("local-id", sa.configured->local_id);
  section.set("remote-id", sa.claimed.empty() ? "%any" : sa.claimed);
  if (sa.initiator) section.set("initiator", "yes");
  return section;
}

Section described(const Sa& sa, const ChildSa& child) {
  return std::move(Section{}
                       .set("name", sa.configured->child)
                       .set("uniqueid", std::to_string(child.uniqueid))
                       .set("reqid", std::to_string(sa.configured->reqid))
                       .set("state", name_of(child.state))
                       .set("mode", "TRANSPORT_PROXY")
                       .set("spi-in", fmt::format("{:08x}", child.spi_in))
                       .set("spi-out", fmt::format("{:08x}", child.spi_out)));
}

std::string key_of(const Sa& sa, const ChildSa& child) {
  return fmt::format("{}-{}", sa.configured->child, child.uniqueid);
}

}  // namespace

// --- commands ---

void CharonModel::Impl::next_command() {
  later(kCommandTime, [](Impl& model) {
    auto response = model.perform(model.commands.front().request);
    auto finish = [](Impl& done, ike::Response result) {
      done.post([answer = std::move(done.commands.front().answer), result = std::move(result)] { answer(result); });
      done.commands.pop_front();
      if (!done.commands.empty()) done.next_command();
    };
    if (model.commands.front().request.stream.empty()) return finish(model, std::move(response));
    model.later(Duration{model.draw_below(kLongestListing)},
                [finish, response = std::move(response)](Impl& done) { finish(done, response); });
  });
}

ike::Response CharonModel::Impl::perform(const ike::Request& request) {
  const auto& message = request.message;
  if (request.command == "load-conn") return {load(message), {}};
  if (request.command == "load-shared") return {load_secret(message), {}};
  if (request.command == "unload-conn") return {unload(message), {}};
  if (request.command == "initiate") return {initiate(message), {}};
  if (request.command == "terminate") return {terminate(message), {}};
  if (request.command == "rekey") return {rekey(message), {}};
  if (request.command == "list-sas") return {{}, list(message)};
  if (request.command == "unload-shared") {
    std::erase_if(shared, [&](const Secret& one) { return one.id == message.text_or("id", ""); });
    return {success(), {}};
  }
  if (request.command == "get-conns") {
    Section::List names;
    for (const auto& one : configured) names.push_back(one->name);
    return {Section{}.set("conns", std::move(names)), {}};
  }
  if (request.command == "load-key") {
    const auto& data = keys.emplace_back(message.text_or("data", ""));
    return {success().set("id", fmt::format("{:016x}", digest(data))), {}};
  }
  if (request.command == "unload-key") {
    std::erase_if(keys,
                  [&](const auto& one) { return fmt::format("{:016x}", digest(one)) == message.text_or("id", ""); });
    return {success(), {}};
  }
  if (request.command == "load-authority") {
    for (const auto& [name, content] : message.entries())
      if (std::find(authorities.begin(), authorities.end(), name) == authorities.end()) authorities.push_back(name);
    return {success(), {}};
  }
  if (request.command == "unload-authority") {
    std::erase(authorities, message.text_or("name", ""));
    return {success(), {}};
  }
  if (request.command == "get-authorities") return {Section{}.set("authorities", authorities), {}};
  return {failure("the model does not know this command"), {}};
}

Section CharonModel::Impl::load(const Section& message) {
  const auto* section = message.entries().empty() ? nullptr : std::get_if<Section>(&message.entries().front().second);
  const auto* local = section ? section->section("local") : nullptr;
  const auto* remote = section ? section->section("remote") : nullptr;
  const auto* children = section ? section->section("children") : nullptr;
  if (!local || !remote || !children || children->entries().empty()) return failure("invalid connection");
  const auto& [child_name, child_value] = children->entries().front();
  const auto* child = std::get_if<Section>(&child_value);
  const auto local_selector = child ? selector(*child, "local_ts") : std::nullopt;
  const auto remote_selector = child ? selector(*child, "remote_ts") : std::nullopt;
  if (!local_selector || !remote_selector) return failure("invalid value for: local_ts, config discarded");
  auto one = std::make_shared<Configured>();
  one->name = message.entries().front().first;
  one->local = Ipv6Address::parse(first_of(*section, "local_addrs"));
  one->remote = Ipv6Address::parse(first_of(*section, "remote_addrs"));
  one->local_id = local->text_or("id", "");
  one->remote_id = remote->text_or("id", "");
  if (local->text_or("auth", "") == "pubkey") one->certificate = first_of(*local, "certs");
  constexpr std::string_view kByName = "asn1dn:#";
  const auto root = remote->text_or("ca_id", "");
  if (root.starts_with(kByName)) one->trusted = root.substr(kByName.size());
  one->local_selector = *local_selector;
  one->remote_selector = *remote_selector;
  one->child = child_name;
  one->reqid = static_cast<std::uint32_t>(number(child->text("reqid")));
  one->ike_rekey = times.ike_rekey.value_or(seconds(*section, "rekey_time"));
  one->child_rekey = times.child_rekey.value_or(seconds(*child, "rekey_time"));
  one->dpd_delay = times.dpd_delay.value_or(seconds(*section, "dpd_delay"));
  const auto same =
      std::find_if(configured.begin(), configured.end(), [&](const auto& other) { return other->name == one->name; });
  if (same == configured.end())
    configured.push_back(std::move(one));
  else
    *same = std::move(one);  // IKE_SAs keep the former
  return success();
}

Section CharonModel::Impl::load_secret(const Section& message) {
  const auto* owners = message.list("owners");
  if (!owners || !message.text("data")) return failure("invalid shared secret");
  Secret secret{message.text_or("id", ""), *message.text("data"), *owners};
  const auto same = std::find_if(shared.begin(), shared.end(), [&](const Secret& one) { return one.id == secret.id; });
  if (same == shared.end())
    shared.push_back(std::move(secret));
  else
    *same = std::move(secret);
  return success();
}

Section CharonModel::Impl::unload(const Section& message) {
  const auto name = message.text_or("name", "");
  const auto gone = std::erase_if(configured, [&](const auto& one) { return one->name == name; });
  return gone != 0 ? success() : failure("unload: connection '" + name + "' not found");
}

// With a timeout charon would wait for the outcome; the keying cores never ask for that.
Section CharonModel::Impl::initiate(const Section& message) {
  if (message.text_or("timeout", "0") != "-1") return failure("the model knows no timeout but -1");
  const auto child = message.text_or("child", "");
  const auto name = message.text_or("ike", "");
  const auto found =
      std::find_if(configured.begin(), configured.end(), [&](const auto& one) { return one->name == name; });
  if (found == configured.end() || (*found)->child != child || !(*found)->local || !(*found)->remote)
    return failure("CHILD_SA config '" + child + "' not found");
  start(*found);
  return success();
}

Section CharonModel::Impl::terminate(const Section& message) {
  if (message.text_or("timeout", "0") != "-1") return failure("the model knows no timeout but -1");
  const auto uniqueid = number(message.text("ike-id"));
  const auto* name = message.text("ike");
  std::vector<std::uint64_t> meant;
  for (const auto& sa : sas)
    if (sa->uniqueid == uniqueid || (name && name_of(*sa) == *name)) meant.push_back(sa->uniqueid);
  if (meant.empty()) return failure("no matching SAs to terminate found");
  for (const auto id : meant)
    if (auto* sa = find(id)) close(*sa, message.text_or("force", "no") == "yes");
  return success();
}

// Says yes whatever becomes of it.
Section CharonModel::Impl::rekey(const Section& message) {
  const auto* sa = find(number(message.text("ike-id")));
  if (!sa) return failure("no matching SAs to rekey found");
  if (!message.text("child")) {
    rekey_ike_due(sa->uniqueid);
    return success();
  }
  for (const auto& child : sa->children) {
    if (child.state != ChildSa::State::kInstalled) continue;
    rekey_child_due(child.spi_in);
    break;
  }
  return success();
}

std::vector<Section> CharonModel::Impl::list(const Section& message) const {
  const auto* name = message.text("ike");
  std::vector<Section> items;
  for (const auto& sa : sas) {
    if (name && name_of(*sa) != *name) continue;
    Section children;
    for (const auto& child : sa->children) children.set(key_of(*sa, child), described(*sa, child));
    auto section = described(*sa);
    section.set("child-sas", std::move(children));
    items.push_back(std::move(Section{}.set(name_of(*sa), std::move(section))));
  }
  return items;
}

// --- events ---

// To the client, in order, one socket's time later. The client may end this charon meanwhile.
void CharonModel::Impl::post(std::function<void()> what) {
  if (ending) return;
  outbox.push_back(std::move(what));
  if (outbox.size() > 1) return;
  later(kSocketTime, [](Impl& model) {
    const auto alive = std::weak_ptr<Impl*>(model.self);
    auto due = std::exchange(model.outbox, {});
    for (auto& one : due) {
      if (alive.expired() || model.ending) return;
      one();
    }
  });
}

void CharonModel::Impl::tell(const char* name, Section message) {
  post([this, event = ike::CharonEvent{name, std::move(message)}]() mutable { around.tell(std::move(event)); });
}

void CharonModel::Impl::tell_ike(const Sa& sa, bool up) {
  Section message;
  if (up) message.set("up", "yes");
  tell("ike-updown", std::move(message.set(name_of(sa), described(sa))));
}

void CharonModel::Impl::tell_child(const Sa& sa, const ChildSa& child, bool up) {
  Section message;
  if (up) message.set("up", "yes");
  auto section = described(sa);
  section.set("child-sas", std::move(Section{}.set(key_of(sa, child), described(sa, child))));
  tell("child-updown", std::move(message.set(name_of(sa), std::move(section))));
}

void CharonModel::Impl::tell_ike_rekey(const Sa& before, const Sa& after) {
  auto section = std::move(Section{}.set("old", described(before)).set("new", described(after)));
  tell("ike-rekey", std::move(Section{}.set(name_of(after), std::move(section))));
}

void CharonModel::Impl::tell_child_rekey(const Sa& sa, const ChildSa& before, const ChildSa& after) {
  auto pair = std::move(Section{}.set("old", described(sa, before)).set("new", described(sa, after)));
  auto section = described(sa);
  section.set("child-sas", std::move(Section{}.set(sa.configured->child, std::move(pair))));
  tell("child-rekey", std::move(Section{}.set(name_of(sa), std::move(section))));
}

void CharonModel::Impl::log(const Sa& sa, std::string line) {
  tell("log", std::move(Section{}
                            .set("group", "IKE")
                            .set("level", "1")
                            .set("ikesa-name", name_of(sa))
                            .set("ikesa-uniqueid", std::to_string(sa.uniqueid))
                            .set("msg", std::move(line))));
}

}  // namespace mip6::simulation
