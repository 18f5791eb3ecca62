// Builds and reads xfrm messages.
#include "mnd/linux/xfrm_messages.hpp"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <string_view>
#include <vector>

namespace mnd::kernel {

namespace {

constexpr std::size_t kMaxMoves = 6;  // the kernel's XFRM_MAX_DEPTH

xfrm_address_t raw(const mip6::Ipv6Address& address) {
  xfrm_address_t out{};
  std::memcpy(out.a6, address.bytes.data(), address.bytes.size());
  return out;
}

mip6::Ipv6Address address_of(const xfrm_address_t& in) {
  mip6::Ipv6Address address;
  std::memcpy(address.bytes.data(), in.a6, address.bytes.size());
  return address;
}

xfrm_selector selector_of(const PolicyKey& key) {
  xfrm_selector selector{};
  selector.saddr = raw(key.source);
  selector.prefixlen_s = key.source_length;
  selector.daddr = raw(key.destination);
  selector.prefixlen_d = key.destination_length;
  selector.family = AF_INET6;
  selector.proto = key.protocol;
  if (key.type) {
    // The kernel keeps a Mobility Header type where a port would be.
    selector.sport = htons(*key.type);
    selector.sport_mask = 0xffff;
  }
  if (key.code) {
    selector.dport = htons(*key.code);
    selector.dport_mask = 0xffff;
  }
  return selector;
}

xfrm_lifetime_cfg no_limit() {
  xfrm_lifetime_cfg limit{};
  limit.soft_byte_limit = limit.hard_byte_limit = XFRM_INF;
  limit.soft_packet_limit = limit.hard_packet_limit = XFRM_INF;
  return limit;
}

std::uint8_t mode_of(std::uint8_t protocol) {
  return protocol == IPPROTO_ESP ? XFRM_MODE_TRANSPORT : XFRM_MODE_ROUTEOPTIMIZATION;
}

void put_policy_type(MessageBuilder& message, bool sub) {
  if (!sub) return;  // main is what the kernel takes without
  xfrm_userpolicy_type type{};
  type.type = XFRM_POLICY_TYPE_SUB;
  message.attribute(XFRMA_POLICY_TYPE, type);
}

xfrm_userpolicy_id id_of(const PolicyKey& key) {
  xfrm_userpolicy_id id{};
  id.sel = selector_of(key);
  id.dir = key.direction;
  return id;
}

xfrm_usersa_info state_info(const mip6::Ipv6Address& source, const mip6::Ipv6Address& destination,
                            std::uint8_t protocol) {
  xfrm_usersa_info info{};
  info.saddr = raw(source);
  info.id.daddr = raw(destination);
  info.id.proto = protocol;
  info.lft = no_limit();
  info.family = AF_INET6;
  info.mode = mode_of(protocol);
  return info;
}

// struct xfrm_algo or xfrm_algo_auth with the key behind it, as the kernel wants them.
template <typename Algorithm>
KeyBytes with_key(Algorithm head, std::string_view name, const KeyBytes& key) {
  std::memcpy(head.alg_name, name.data(), std::min(name.size(), sizeof head.alg_name - 1));
  head.alg_key_len = static_cast<unsigned>(key.size() * 8);
  KeyBytes bytes(sizeof head);
  std::memcpy(bytes.data(), &head, sizeof head);
  bytes.insert(bytes.end(), key.begin(), key.end());
  return bytes;
}

xfrm_userpolicy_info policy_info(const PolicyKey& key, std::uint32_t priority) {
  xfrm_userpolicy_info info{};
  info.sel = selector_of(key);
  info.lft = no_limit();
  info.priority = priority;
  info.dir = key.direction;
  info.action = XFRM_POLICY_ALLOW;
  return info;
}

xfrm_user_migrate moved(const TunnelMove& move, std::uint32_t reqid) {
  xfrm_user_migrate migrate{};
  migrate.old_saddr = raw(move.old_source);
  migrate.old_daddr = raw(move.old_destination);
  migrate.new_saddr = raw(move.source);
  migrate.new_daddr = raw(move.destination);
  migrate.proto = IPPROTO_ESP;
  migrate.mode = XFRM_MODE_TUNNEL;
  migrate.reqid = reqid;
  migrate.old_family = migrate.new_family = AF_INET6;
  return migrate;
}

xfrm_user_kmaddress raw(const KeyEndpoint& endpoint) {
  xfrm_user_kmaddress out{};
  out.local = raw(endpoint.local);
  out.remote = raw(endpoint.remote);
  out.family = AF_INET6;
  return out;
}

}  // namespace

NetlinkMessage allow_policy(const PolicyKey& key, std::uint32_t priority) {
  MessageBuilder message(XFRM_MSG_UPDPOLICY, 0);
  message.header(policy_info(key, priority));
  put_policy_type(message, key.sub);
  return message.bytes();
}

NetlinkMessage new_block_policy(const PolicyKey& key, std::uint32_t priority) {
  auto info = policy_info(key, priority);
  info.action = XFRM_POLICY_BLOCK;
  MessageBuilder message(XFRM_MSG_NEWPOLICY, 0);
  message.header(info);
  put_policy_type(message, key.sub);
  return message.bytes();
}

NetlinkMessage update_policy(const PolicyKey& key, const PolicyTemplate& wanted, std::uint32_t priority) {
  xfrm_user_tmpl item{};
  item.id.daddr = raw(wanted.destination);
  item.id.spi = htonl(wanted.spi);
  item.id.proto = wanted.protocol;
  item.family = AF_INET6;
  item.saddr = raw(wanted.source);
  item.reqid = wanted.reqid;
  item.mode = wanted.tunnel ? std::uint8_t{XFRM_MODE_TUNNEL} : mode_of(wanted.protocol);
  item.optional = wanted.optional ? 1 : 0;
  item.aalgos = item.ealgos = item.calgos = ~0U;

  MessageBuilder message(XFRM_MSG_UPDPOLICY, 0);
  message.header(policy_info(key, priority));
  put_policy_type(message, key.sub);
  return message.attribute(XFRMA_TMPL, item).bytes();
}

NetlinkMessage delete_policy(const PolicyKey& key) {
  MessageBuilder message(XFRM_MSG_DELPOLICY, 0);
  message.header(id_of(key));
  put_policy_type(message, key.sub);
  return message.bytes();
}

NetlinkMessage dump_policies() { return MessageBuilder(XFRM_MSG_GETPOLICY, 0).bytes(); }

NetlinkMessage care_of_state(std::uint16_t message, const mip6::Ipv6Address& source,
                             const mip6::Ipv6Address& destination, std::uint8_t protocol,
                             const mip6::Ipv6Address& care_of) {
  return MessageBuilder(message, 0)
      .header(state_info(source, destination, protocol))
      .attribute(XFRMA_COADDR, care_of)
      .bytes();
}

NetlinkMessage add_wildcard_home_address_state() {
  xfrm_usersa_info info = state_info({}, {}, IPPROTO_DSTOPTS);
  info.flags = XFRM_STATE_WILDRECV;
  return MessageBuilder(XFRM_MSG_NEWSA, 0).header(info).attribute(XFRMA_COADDR, mip6::Ipv6Address{}).bytes();
}

NetlinkMessage manual_esp_state(const mip6::Ipv6Address& source, const mip6::Ipv6Address& destination,
                                std::uint32_t reqid, const ManualSa& sa) {
  xfrm_usersa_info info = state_info(source, destination, IPPROTO_ESP);
  info.id.spi = htonl(sa.spi);
  info.reqid = reqid;
  const auto& integrity = traits_of(sa.integrity);
  xfrm_algo_auth auth{};
  auth.alg_trunc_len = integrity.sent_bits;
  return MessageBuilder(XFRM_MSG_NEWSA, 0)
      .header(info)
      .raw(XFRMA_ALG_AUTH_TRUNC, with_key(auth, integrity.kernel_name, sa.integrity_key))
      .raw(XFRMA_ALG_CRYPT, with_key(xfrm_algo{}, "cbc(aes)", sa.encryption_key))
      .bytes();
}

NetlinkMessage delete_state(const mip6::Ipv6Address& source, const mip6::Ipv6Address& destination,
                            std::uint8_t protocol, std::uint32_t spi) {
  xfrm_usersa_id id{};
  id.daddr = raw(destination);
  id.spi = htonl(spi);
  id.family = AF_INET6;
  id.proto = protocol;
  return MessageBuilder(XFRM_MSG_DELSA, 0).header(id).attribute(XFRMA_SRCADDR, source).bytes();
}

NetlinkMessage get_state(const mip6::Ipv6Address& destination, std::uint8_t protocol, std::uint32_t spi) {
  xfrm_usersa_id id{};
  id.daddr = raw(destination);
  id.spi = htonl(spi);
  id.family = AF_INET6;
  id.proto = protocol;
  return MessageBuilder(XFRM_MSG_GETSA, 0).header(id).bytes();
}

NetlinkMessage dump_states(std::uint8_t protocol) {
  return MessageBuilder(XFRM_MSG_GETSA, 0).attribute(XFRMA_PROTO, protocol).bytes();
}

NetlinkMessage dump_states(std::uint8_t protocol, const mip6::Ipv6Address& source,
                           const mip6::Ipv6Address& destination) {
  xfrm_address_filter filter{};
  filter.saddr = raw(source);
  filter.daddr = raw(destination);
  filter.family = AF_INET6;
  filter.splen = filter.dplen = kHostLength;
  return MessageBuilder(XFRM_MSG_GETSA, 0)
      .attribute(XFRMA_PROTO, protocol)
      .attribute(XFRMA_ADDRESS_FILTER, filter)
      .bytes();
}

NetlinkMessage migrate_key_endpoint(const PolicyKey& key, std::uint32_t reqid, const mip6::Ipv6Address& local,
                                    const mip6::Ipv6Address& remote, FindPolicy find) {
  xfrm_user_migrate migrate{};
  migrate.old_saddr = migrate.new_saddr = raw(key.source);
  migrate.old_daddr = migrate.new_daddr = raw(key.destination);
  migrate.proto = IPPROTO_ESP;
  migrate.mode = XFRM_MODE_TRANSPORT;
  migrate.reqid = reqid;
  migrate.old_family = migrate.new_family = AF_INET6;

  auto id = id_of(key);
  if (find == FindPolicy::kByPacket && key.type) {
    id.sel.sport = id.sel.sport_mask = 0;
    id.sel.dport = htons(static_cast<std::uint16_t>(*key.type << 8));
    id.sel.dport_mask = 0xffff;
  }
  return MessageBuilder(XFRM_MSG_MIGRATE, 0)
      .header(id)
      .attribute(XFRMA_MIGRATE, migrate)
      .attribute(XFRMA_KMADDRESS, raw(KeyEndpoint{local, remote}))
      .bytes();
}

NetlinkMessage migrate_tunnel(const PolicyKey& key, std::uint32_t reqid, const std::vector<TunnelMove>& moves,
                              const std::optional<KeyEndpoint>& endpoint) {
  assert(!moves.empty() && moves.size() <= kMaxMoves);
  std::vector<std::uint8_t> all;
  for (const auto& move : moves) {
    const auto one = moved(move, reqid);
    all.resize(all.size() + sizeof one);
    std::memcpy(all.data() + all.size() - sizeof one, &one, sizeof one);
  }
  MessageBuilder message(XFRM_MSG_MIGRATE, 0);
  message.header(id_of(key));
  message.raw(XFRMA_MIGRATE, all);
  if (endpoint) message.attribute(XFRMA_KMADDRESS, raw(*endpoint));
  return message.bytes();
}

std::optional<DumpedPolicy> parse_policy(const NetlinkMessage& message) {
  const auto* info = family_header<xfrm_userpolicy_info>(message);
  if (info == nullptr || info->sel.family != AF_INET6) return std::nullopt;
  DumpedPolicy policy;
  policy.key.source = address_of(info->sel.saddr);
  policy.key.source_length = info->sel.prefixlen_s;
  policy.key.destination = address_of(info->sel.daddr);
  policy.key.direction = info->dir;
  policy.destination_length = policy.key.destination_length = info->sel.prefixlen_d;
  policy.selector_protocol = policy.key.protocol = info->sel.proto;
  policy.priority = info->priority;
  policy.blocks = info->action == XFRM_POLICY_BLOCK;
  if (info->sel.sport_mask != 0) policy.key.type = static_cast<std::uint8_t>(ntohs(info->sel.sport));
  if (info->sel.dport_mask != 0) policy.key.code = static_cast<std::uint8_t>(ntohs(info->sel.dport));

  xfrm_userpolicy_type type{};
  const auto type_bytes = find_attribute(message, sizeof *info, XFRMA_POLICY_TYPE);
  if (type_bytes.size() >= sizeof type) std::memcpy(&type, type_bytes.data(), sizeof type);
  policy.key.sub = type.type == XFRM_POLICY_TYPE_SUB;

  xfrm_user_tmpl item{};
  const auto item_bytes = find_attribute(message, sizeof *info, XFRMA_TMPL);
  if (item_bytes.size() >= sizeof item) {
    std::memcpy(&item, item_bytes.data(), sizeof item);
    policy.first = PolicyTemplate{.source = address_of(item.saddr),
                                  .destination = address_of(item.id.daddr),
                                  .protocol = item.id.proto,
                                  .reqid = item.reqid,
                                  .optional = item.optional != 0,
                                  .spi = ntohl(item.id.spi),
                                  .tunnel = item.mode == XFRM_MODE_TUNNEL};
  }
  return policy;
}

std::optional<DumpedState> parse_state(const NetlinkMessage& message) {
  const auto* info = family_header<xfrm_usersa_info>(message);
  if (info == nullptr || info->family != AF_INET6) return std::nullopt;
  return DumpedState{.source = address_of(info->saddr),
                     .destination = address_of(info->id.daddr),
                     .protocol = info->id.proto,
                     .spi = ntohl(info->id.spi),
                     .reqid = info->reqid,
                     .packets = info->curlft.packets,
                     .added = static_cast<std::int64_t>(info->curlft.add_time),
                     .manual = info->replay_window == 0 && info->lft.hard_add_expires_seconds == 0,
                     .asked_for = info->seq != 0};
}

std::size_t state_size_without_keys() { return NLMSG_HDRLEN + sizeof(xfrm_usersa_info); }

}  // namespace mnd::kernel
