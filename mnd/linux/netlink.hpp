// Requests to the kernel over netlink: messages built with libnl-3, sent in one write, answered with the kernel's own
// words (extended ack). Internal to mnd/linux; notifications have sockets of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <vector>

#include "libmip6/address.hpp"
#include "libmip6/error.hpp"

struct nl_msg;
struct nlattr;
struct nlmsghdr;

namespace mnd::kernel {

inline constexpr std::size_t kReceiveBuffer = 65536;  // bytes; the kernel never puts more than 32 KiB into one answer
inline constexpr std::uint8_t kHostLength = 128;      // bits of a prefix that is one address

// A complete netlink message, header included, in host byte order as the kernel wants it; sequence number 0.
using NetlinkMessage = std::vector<std::uint8_t>;

// Builds one message: the fixed header of the family first, then attributes.
class MessageBuilder {
 public:
  // `flags` beside NLM_F_REQUEST.
  MessageBuilder(std::uint16_t type, std::uint16_t flags);
  ~MessageBuilder();
  MessageBuilder(const MessageBuilder&) = delete;
  MessageBuilder& operator=(const MessageBuilder&) = delete;

  template <typename Header>
  MessageBuilder& header(const Header& value) {
    return append(&value, sizeof value);
  }
  // An attribute whose payload is the object representation of `value`.
  template <typename Value>
  MessageBuilder& attribute(int type, const Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    return put(type, &value, sizeof value);
  }
  MessageBuilder& attribute(int type, const mip6::Ipv6Address& value);
  MessageBuilder& raw(int type, std::span<const std::uint8_t> value);
  MessageBuilder& text(int type, std::string_view value);  // zero-terminated
  MessageBuilder& flag(int type);                          // no payload
  MessageBuilder& begin_nest(int type);
  MessageBuilder& end_nest();

  NetlinkMessage bytes() const;

 private:
  MessageBuilder& append(const void* data, std::size_t size);
  MessageBuilder& put(int type, const void* data, std::size_t size);

  struct Deleter {
    void operator()(nl_msg* message) const;
  };
  std::unique_ptr<nl_msg, Deleter> message_;
  std::vector<nlattr*> nests_;
};

// What the kernel answered to one request.
struct Answer {
  int os_error = 0;    // errno value; 0: done
  std::string reason;  // the kernel's own words (extended ack), mostly empty
  bool ok() const { return os_error == 0; }
};

// One request socket. Not for two threads.
class NetlinkSocket {
 public:
  // `protocol`: NETLINK_ROUTE, NETLINK_XFRM.
  static tl::expected<NetlinkSocket, Answer> open(int protocol);
  NetlinkSocket(NetlinkSocket&& other) noexcept;
  NetlinkSocket& operator=(NetlinkSocket&& other) noexcept;
  ~NetlinkSocket();

  // Performs the messages in their order, later ones also after an earlier one failed; one write for all of a batch of
  // kBatch, then one acknowledgement is read for each. An answer missing after kAnswerTimeoutMs is ETIMEDOUT.
  std::vector<Answer> request(std::span<const NetlinkMessage> messages);
  Answer request(const NetlinkMessage& message);

  // A dump (NLM_F_DUMP is added). One that the kernel flags as interrupted is made again, kDumpAttempts times at most.
  // Of each message only the first `keep` bytes are copied, and the rest is wiped: dumped states carry keys.
  tl::expected<std::vector<NetlinkMessage>, Answer> dump(const NetlinkMessage& message, std::size_t keep = SIZE_MAX);
  // One object (RTM_GETLINK by name, for instance); `keep` as for dump().
  tl::expected<NetlinkMessage, Answer> get(const NetlinkMessage& message, std::size_t keep = SIZE_MAX);

  // By which notifications of what it has changed name it (nlmsg_pid).
  std::uint32_t port() const;

  static constexpr std::size_t kBatch = 64;
  static constexpr int kAnswerTimeoutMs = 1000;
  static constexpr int kDumpAttempts = 5;

 private:
  explicit NetlinkSocket(int descriptor);
  Answer send(std::span<const std::uint8_t> bytes);
  tl::expected<std::span<const std::uint8_t>, Answer> receive();
  void request_batch(std::span<const NetlinkMessage> messages, std::vector<Answer>& answers);
  tl::expected<std::vector<NetlinkMessage>, Answer> dump_once(const NetlinkMessage& message, std::size_t keep,
                                                              bool& interrupted);

  int descriptor_ = -1;
  std::uint32_t sequence_ = 0;
  std::unique_ptr<std::uint8_t[]> buffer_;  // of kReceiveBuffer bytes, most of which are never touched
};

// Reading what came back. All take outside input: absent or short gives nothing.
const nlmsghdr* header_of(const NetlinkMessage& message);
template <typename Header>
const Header* family_header(const NetlinkMessage& message);
// The attribute's payload, empty if absent. `header_size`: size of the family's fixed header.
std::span<const std::uint8_t> find_attribute(const NetlinkMessage& message, std::size_t header_size, int type);
// The same inside a nest.
std::span<const std::uint8_t> find_nested(std::span<const std::uint8_t> nest, int type);
bool has_nested(std::span<const std::uint8_t> nest, int type);  // also without payload
std::uint32_t to_u32(std::span<const std::uint8_t> payload, std::uint32_t absent = 0);
mip6::Ipv6Address to_address(std::span<const std::uint8_t> payload);  // :: if absent
std::string to_text(std::span<const std::uint8_t> payload);

// The house's error of an answer, with the remedy for the errno values that every request can meet.
mip6::Error netlink_error(std::string tried, std::string on, const Answer& answer, std::string remedy = {});

// The payload behind a message's netlink header as one fixed header; null if it is too short.
const void* family_payload(const NetlinkMessage& message, std::size_t size);
template <typename Header>
const Header* family_header(const NetlinkMessage& message) {
  return static_cast<const Header*>(family_payload(message, sizeof(Header)));
}

}  // namespace mnd::kernel
