// Netlink request socket: batches with acknowledgements, dumps that are made again when interrupted.
#include "mnd/linux/netlink.hpp"

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

namespace mnd::kernel {

namespace {

constexpr int kSocketBuffer = 1 << 20;

Answer answer_of(int os_error) { return {os_error, {}}; }

std::string extended_ack(const nlmsghdr* header) {
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  const auto* error = static_cast<const nlmsgerr*>(nlmsg_data(header));
  std::size_t skip = sizeof(nlmsgerr);
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0 && error->msg.nlmsg_len >= NLMSG_HDRLEN) {
    skip += NLMSG_ALIGN(error->msg.nlmsg_len - NLMSG_HDRLEN);
  }
  const auto size = static_cast<std::size_t>(nlmsg_datalen(header));
  if (size <= skip) return {};
  const auto* first = static_cast<const std::uint8_t*>(nlmsg_data(header)) + skip;
  return to_text(find_nested({first, size - skip}, NLMSGERR_ATTR_MSG));
}

// What an NLMSG_ERROR message says; it is also the acknowledgement, with error 0.
Answer parse_error(const nlmsghdr* header) {
  if (nlmsg_datalen(header) < static_cast<int>(sizeof(nlmsgerr))) return answer_of(EBADMSG);
  Answer answer = answer_of(-static_cast<const nlmsgerr*>(nlmsg_data(header))->error);
  if (answer.ok()) return answer;
  if (std::string text = extended_ack(header); !text.empty()) answer.reason = std::move(text);
  return answer;
}

void set_header(NetlinkMessage& message, std::uint32_t sequence, std::uint16_t more_flags) {
  assert(message.size() >= sizeof(nlmsghdr));
  nlmsghdr header{};
  std::memcpy(&header, message.data(), sizeof header);
  header.nlmsg_seq = sequence;
  header.nlmsg_flags = static_cast<std::uint16_t>(header.nlmsg_flags | more_flags);
  std::memcpy(message.data(), &header, sizeof header);
}

// Calls `handle(header)` for every message in `bytes` until it returns false.
template <typename Handle>
void for_each_message(std::span<const std::uint8_t> bytes, Handle handle) {
  // The buffer is aligned and each message is; libnl's inline functions want it mutable.
  auto* header = reinterpret_cast<nlmsghdr*>(const_cast<std::uint8_t*>(bytes.data()));
  int left = static_cast<int>(bytes.size());
  while (nlmsg_ok(header, left) != 0) {
    if (!handle(header)) return;
    header = nlmsg_next(header, &left);
  }
}

NetlinkMessage copy_of(const nlmsghdr* header, std::size_t keep = SIZE_MAX) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(header);
  return {first, first + std::min<std::size_t>(header->nlmsg_len, keep)};
}

}  // namespace

void MessageBuilder::Deleter::operator()(nl_msg* message) const { nlmsg_free(message); }

MessageBuilder::MessageBuilder(std::uint16_t type, std::uint16_t flags) : message_(nlmsg_alloc()) {
  // Only memory can be missing here and below, and a message of ours never fills the page that nlmsg_alloc() takes.
  if (!message_) throw std::bad_alloc();
  nlmsghdr* header = nlmsg_put(message_.get(), 0, 0, type, 0, NLM_F_REQUEST | flags);
  assert(header != nullptr);
  header->nlmsg_pid = 0;
  header->nlmsg_seq = 0;
}

MessageBuilder::~MessageBuilder() = default;

MessageBuilder& MessageBuilder::append(const void* data, std::size_t size) {
  [[maybe_unused]] const int result = nlmsg_append(message_.get(), const_cast<void*>(data), size, NLMSG_ALIGNTO);
  assert(result == 0);
  return *this;
}

MessageBuilder& MessageBuilder::put(int type, const void* data, std::size_t size) {
  [[maybe_unused]] const int result = nla_put(message_.get(), type, static_cast<int>(size), data);
  assert(result == 0);
  return *this;
}

MessageBuilder& MessageBuilder::attribute(int type, const mip6::Ipv6Address& value) {
  return put(type, value.bytes.data(), value.bytes.size());
}

MessageBuilder& MessageBuilder::raw(int type, std::span<const std::uint8_t> value) {
  return put(type, value.data(), value.size());
}

MessageBuilder& MessageBuilder::text(int type, std::string_view value) {
  const std::string terminated(value);
  return put(type, terminated.c_str(), terminated.size() + 1);
}

MessageBuilder& MessageBuilder::flag(int type) { return put(type, nullptr, 0); }

MessageBuilder& MessageBuilder::begin_nest(int type) {
  nests_.push_back(nla_nest_start(message_.get(), type));
  assert(nests_.back() != nullptr);
  return *this;
}

MessageBuilder& MessageBuilder::end_nest() {
  assert(!nests_.empty());
  nla_nest_end(message_.get(), nests_.back());
  nests_.pop_back();
  return *this;
}

NetlinkMessage MessageBuilder::bytes() const {
  assert(nests_.empty());
  return copy_of(nlmsg_hdr(message_.get()));
}

NetlinkSocket::NetlinkSocket(int descriptor)
    : descriptor_(descriptor), buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kReceiveBuffer)) {}

NetlinkSocket::NetlinkSocket(NetlinkSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      sequence_(other.sequence_),
      buffer_(std::move(other.buffer_)) {}

NetlinkSocket& NetlinkSocket::operator=(NetlinkSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(sequence_, other.sequence_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

NetlinkSocket::~NetlinkSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

tl::expected<NetlinkSocket, Answer> NetlinkSocket::open(int protocol) {
  const int descriptor = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (descriptor < 0) return tl::unexpected(answer_of(errno));
  NetlinkSocket opened(descriptor);
  const int on = 1;
  // Comforts: without them answers are longer, without words, or a large dump is read in more pieces.
  ::setsockopt(descriptor, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(descriptor, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) {
    return tl::unexpected(answer_of(errno));
  }
  return opened;
}

std::uint32_t NetlinkSocket::port() const {
  sockaddr_nl local{};
  socklen_t size = sizeof local;
  return ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&local), &size) == 0 ? local.nl_pid : 0;
}

Answer NetlinkSocket::send(std::span<const std::uint8_t> bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const auto sent =
      ::sendto(descriptor_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  return answer_of(sent < 0 ? errno : 0);
}

tl::expected<std::span<const std::uint8_t>, Answer> NetlinkSocket::receive() {
  // The kernel has nearly always answered already: no clock is read then.
  std::optional<std::chrono::steady_clock::time_point> deadline;
  while (true) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const auto size = ::recvfrom(descriptor_, buffer_.get(), kReceiveBuffer, MSG_TRUNC,
                                 reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size >= 0) {
      if (static_cast<std::size_t>(size) > kReceiveBuffer) return tl::unexpected(answer_of(EMSGSIZE));
      if (from.nl_pid == 0) return std::span<const std::uint8_t>(buffer_.get(), static_cast<std::size_t>(size));
      continue;  // another process, not the kernel
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return tl::unexpected(answer_of(errno));
    const auto now = std::chrono::steady_clock::now();
    if (!deadline) deadline = now + std::chrono::milliseconds(kAnswerTimeoutMs);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - now).count();
    if (left <= 0) return tl::unexpected(Answer{ETIMEDOUT, "the kernel did not answer within a second"});
    pollfd wait{descriptor_, POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>(left));
  }
}

std::vector<Answer> NetlinkSocket::request(std::span<const NetlinkMessage> messages) {
  std::vector<Answer> answers;
  answers.reserve(messages.size());
  for (std::size_t first = 0; first < messages.size(); first += kBatch) {
    request_batch(messages.subspan(first, std::min(kBatch, messages.size() - first)), answers);
  }
  return answers;
}

Answer NetlinkSocket::request(const NetlinkMessage& message) { return request(std::span(&message, 1)).front(); }

void NetlinkSocket::request_batch(std::span<const NetlinkMessage> messages, std::vector<Answer>& answers) {
  std::vector<std::uint8_t> bytes;
  const std::uint32_t first = sequence_ + 1;
  for (const NetlinkMessage& message : messages) {
    NetlinkMessage numbered = message;
    set_header(numbered, ++sequence_, NLM_F_ACK);
    numbered.resize(NLMSG_ALIGN(numbered.size()));
    bytes.insert(bytes.end(), numbered.begin(), numbered.end());
  }
  const std::size_t base = answers.size();
  Answer failure = send(bytes);
  answers.resize(base + messages.size(), failure);
  if (!failure.ok()) return;

  std::vector<bool> answered(messages.size());
  std::size_t open = messages.size();
  while (open > 0) {
    const auto received = receive();
    if (!received) {
      for (std::size_t i = 0; i < messages.size(); ++i) {
        if (!answered[i]) answers[base + i] = received.error();
      }
      return;
    }
    for_each_message(*received, [&](const nlmsghdr* header) {
      // The late answer to a request that timed out has an older number.
      const std::uint32_t index = header->nlmsg_seq - first;
      if (header->nlmsg_type == NLMSG_ERROR && index < messages.size() && !answered[index]) {
        answers[base + index] = parse_error(header);
        answered[index] = true;
        --open;
      }
      return true;
    });
  }
}

tl::expected<std::vector<NetlinkMessage>, Answer> NetlinkSocket::dump_once(const NetlinkMessage& message,
                                                                           std::size_t keep, bool& interrupted) {
  NetlinkMessage numbered = message;
  set_header(numbered, ++sequence_, NLM_F_DUMP);
  if (Answer failure = send(numbered); !failure.ok()) return tl::unexpected(failure);
  std::vector<NetlinkMessage> found;
  Answer failure;
  bool done = false;
  while (!done) {
    const auto received = receive();
    if (!received) return tl::unexpected(received.error());
    for_each_message(*received, [&](const nlmsghdr* header) {
      if (header->nlmsg_seq != sequence_) return true;
      if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      if (header->nlmsg_type == NLMSG_ERROR) {
        failure = parse_error(header);
        done = true;
      } else if (header->nlmsg_type == NLMSG_DONE) {
        const auto payload = std::span(static_cast<const std::uint8_t*>(nlmsg_data(header)),
                                       static_cast<std::size_t>(nlmsg_datalen(header)));
        failure = answer_of(-static_cast<int>(to_u32(payload)));
        done = true;
      } else {
        found.push_back(copy_of(header, keep));
      }
      return !done;
    });
    if (keep != SIZE_MAX) ::explicit_bzero(buffer_.get(), received->size());
  }
  if (!failure.ok()) return tl::unexpected(failure);
  return found;
}

tl::expected<std::vector<NetlinkMessage>, Answer> NetlinkSocket::dump(const NetlinkMessage& message, std::size_t keep) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    bool interrupted = false;
    auto found = dump_once(message, keep, interrupted);
    if (!found || !interrupted) return found;
  }
  return tl::unexpected(Answer{EINTR, "the list changed again and again while it was read"});
}

tl::expected<NetlinkMessage, Answer> NetlinkSocket::get(const NetlinkMessage& message, std::size_t keep) {
  NetlinkMessage numbered = message;
  set_header(numbered, ++sequence_, 0);
  if (Answer failure = send(numbered); !failure.ok()) return tl::unexpected(failure);
  while (true) {
    const auto received = receive();
    if (!received) return tl::unexpected(received.error());
    tl::expected<NetlinkMessage, Answer> result;
    bool done = false;
    for_each_message(*received, [&](const nlmsghdr* header) {
      if (header->nlmsg_seq != sequence_) return true;
      done = true;
      if (header->nlmsg_type == NLMSG_ERROR) {
        result = tl::unexpected(parse_error(header));
      } else {
        result = copy_of(header, keep);
      }
      return false;
    });
    if (keep != SIZE_MAX) ::explicit_bzero(buffer_.get(), received->size());
    if (done) return result;
  }
}

const nlmsghdr* header_of(const NetlinkMessage& message) {
  return message.size() < sizeof(nlmsghdr) ? nullptr : reinterpret_cast<const nlmsghdr*>(message.data());
}

const void* family_payload(const NetlinkMessage& message, std::size_t size) {
  return message.size() < NLMSG_HDRLEN + size ? nullptr : message.data() + NLMSG_HDRLEN;
}

std::span<const std::uint8_t> find_nested(std::span<const std::uint8_t> nest, int type) {
  const nlattr* found = nla_find(reinterpret_cast<const nlattr*>(nest.data()), static_cast<int>(nest.size()), type);
  if (found == nullptr) return {};
  return {static_cast<const std::uint8_t*>(nla_data(found)), static_cast<std::size_t>(nla_len(found))};
}

bool has_nested(std::span<const std::uint8_t> nest, int type) {
  return nla_find(reinterpret_cast<const nlattr*>(nest.data()), static_cast<int>(nest.size()), type) != nullptr;
}

std::span<const std::uint8_t> find_attribute(const NetlinkMessage& message, std::size_t header_size, int type) {
  const std::size_t offset = NLMSG_HDRLEN + NLMSG_ALIGN(header_size);
  if (message.size() <= offset) return {};
  return find_nested(std::span(message).subspan(offset), type);
}

std::uint32_t to_u32(std::span<const std::uint8_t> payload, std::uint32_t absent) {
  std::uint32_t value = absent;
  if (payload.size() >= sizeof value) std::memcpy(&value, payload.data(), sizeof value);
  return value;
}

mip6::Ipv6Address to_address(std::span<const std::uint8_t> payload) {
  mip6::Ipv6Address address;
  if (payload.size() >= address.bytes.size()) std::memcpy(address.bytes.data(), payload.data(), address.bytes.size());
  return address;
}

std::string to_text(std::span<const std::uint8_t> payload) {
  const auto* first = reinterpret_cast<const char*>(payload.data());
  return payload.empty() ? std::string() : std::string(first, ::strnlen(first, payload.size()));
}

mip6::Error netlink_error(std::string tried, std::string on, const Answer& answer, std::string remedy) {
  if (answer.os_error == EPERM || answer.os_error == EACCES) {
    remedy = answer.reason.find("IPv6 is disabled") == std::string::npos
                 ? "start it as root or with CAP_NET_ADMIN and CAP_NET_RAW"
                 : "sysctl -w net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.all.disable_ipv6=0";
  } else if (answer.os_error == ETIMEDOUT && remedy.empty()) {
    remedy = "look for trouble of the kernel in dmesg; the daemon tries again";
  }
  return {.tried = std::move(tried),
          .on = std::move(on),
          .reason = answer.reason,
          .remedy = std::move(remedy),
          .os_error = answer.os_error};
}

}  // namespace mnd::kernel
