// The VICI session: connection, registration, request queue and dispatch on the loop.
#include "ike-glue/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <optional>

#include "ike-glue/socket_watch.hpp"

namespace ike {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Clock = std::chrono::steady_clock;  // stands still in sleep, as charon does
using std::chrono::milliseconds;

constexpr milliseconds kRegistrationPatience{3000};
constexpr milliseconds kGoodConnection{1000};  // one that lasted so long is made anew without delay
constexpr milliseconds kFirstRetry{20};
constexpr milliseconds kLastRetry{10000};
// A new charon makes its socket file some time before it listens on it; the folder tells of the file only, and of none
// that was there before it was watched.
constexpr unsigned kTriesAfterChange = 8;
constexpr std::size_t kMaxStreamedItems = 100'000;
constexpr auto kNever = Clock::time_point::max();

}  // namespace

struct Session::Impl : std::enable_shared_from_this<Impl> {
  enum class Phase { kNew, kClosed, kConnecting, kRegistering, kReady, kDestroyed };
  // What the answer that is awaited from charon answers.
  enum class Awaiting { kNothing, kStreamRegistered, kResponse, kStreamUnregistered };

  struct Pending {
    std::string command;  // empty: `stream` is to be registered or unregistered, and no more
    Section message;
    std::string stream;
    Clock::time_point deadline;
    Done done;
    Response response;
    bool registers = false;  // if `command` is empty
  };

  Impl(asio::io_context& io, std::filesystem::path path, std::vector<std::string> wanted, Handlers callbacks)
      : loop(io),
        socket_path(std::move(path)),
        events(std::move(wanted)),
        handlers(std::move(callbacks)),
        socket(io),
        timer(io) {}

  void connect();
  void connected(const ErrorCode& error);
  void register_next();
  void ready();
  void close(const mip6::Error& why, bool wait_for_folder);
  void plan_retry(bool wait_for_folder);
  void report(const mip6::Error& why);

  void send(const Packet& packet);
  void write_next();
  void read_length();
  void read_body(std::size_t size);
  void received(const Packet& packet);
  void answered(const Packet& packet);
  void got_event(const Packet& packet);
  void protocol_error(std::string reason);

  void enqueue(Pending pending);
  void change_registration(const std::string& event, bool registers, milliseconds deadline, Done done);
  void start_next();
  void finish(tl::expected<Response, mip6::Error> result);
  void fail_later(Done done, mip6::Error why);

  void arm_timer();
  void timer_fired();
  static const std::string& what(const Pending& one) { return one.command.empty() ? one.stream : one.command; }
  mip6::Error late(const Pending& one) const {
    return error("ask charon for " + what(one), "the deadline passed before it could be asked",
                 "look at charon's process and log", ETIMEDOUT);
  }
  mip6::Error error(std::string tried, std::string reason, std::string remedy, int os_error = 0) const;

  asio::io_context& loop;
  std::filesystem::path socket_path;
  std::vector<std::string> events;  // to be registered on each connection
  Handlers handlers;
  asio::local::stream_protocol::socket socket;
  asio::steady_timer timer;
  std::unique_ptr<SocketWatch> watch;
  bool watching = false;

  Phase phase = Phase::kNew;
  std::uint64_t generation = 0;          // of the connection; handlers of an earlier one do nothing
  std::vector<std::string> registering;  // on this connection, at its beginning
  std::size_t registered = 0;            // of these
  std::optional<Clock::time_point> registration_deadline;
  std::optional<Clock::time_point> retry_at;
  Clock::time_point ready_since;
  unsigned failures = 0;  // connections in a row that did not last
  unsigned tries_after_change = 0;
  std::optional<std::pair<std::string, int>> reported;  // reason of the last `disconnected`

  std::deque<Pending> queue;  // the first is the active one unless `awaiting` is kNothing
  Awaiting awaiting = Awaiting::kNothing;
  std::deque<std::vector<std::uint8_t>> outgoing;
  bool writing = false;
  std::array<std::uint8_t, 4> length{};
  std::vector<std::uint8_t> body;
};

// --- connection ---

void Session::Impl::connect() {
  retry_at.reset();
  phase = Phase::kConnecting;
  ++generation;
  // Watching begins before the attempt: a socket made between the two would otherwise never be seen.
  if (!watch) {
    watch = std::make_unique<SocketWatch>(loop, socket_path, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->tries_after_change = kTriesAfterChange;
      self->failures = 0;
      if (self->phase == Phase::kClosed) self->connect();
    });
  }
  watching = watch->start();
  if (socket_path.native().size() > 107) {  // sizeof sockaddr_un::sun_path, less the closing zero
    close(error("connect to charon", "the path of the socket is too long", "configure a shorter path", ENAMETOOLONG),
          true);
    return;
  }
  socket.async_connect(asio::local::stream_protocol::endpoint(socket_path.native()),
                       [self = shared_from_this(), mine = generation](const ErrorCode& result) {
                         if (mine == self->generation) self->connected(result);
                       });
}

void Session::Impl::connected(const ErrorCode& result) {
  if (result) {
    const bool denied = result == asio::error::access_denied || result.value() == EPERM;
    const bool gone = result.value() == ENOENT || result.value() == ECONNREFUSED || result.value() == ENOTDIR;
    if (result.value() == ECONNREFUSED && failures == 0) tries_after_change = kTriesAfterChange;
    close(error("connect to charon", result.message(),
                denied ? "run as root, or give the daemon's user access to the socket (charon's plugins.vici.socket)"
                       : "start strongSwan: systemctl start strongswan",
                result.value()),
          denied || gone);
    return;
  }
  phase = Phase::kRegistering;
  registering = events;
  registered = 0;
  registration_deadline = Clock::now() + kRegistrationPatience;
  read_length();
  register_next();
}

void Session::Impl::register_next() {
  if (registered == registering.size()) return ready();
  arm_timer();
  send({PacketType::kEventRegister, registering[registered], {}});
}

void Session::Impl::ready() {
  phase = Phase::kReady;
  ready_since = Clock::now();
  watch->stop();  // an idle daemon does not wake up for what happens in /run
  tries_after_change = 0;
  registration_deadline.reset();
  reported.reset();
  const auto mine = generation;
  if (handlers.connected) handlers.connected();
  if (mine == generation && phase == Phase::kReady && awaiting == Awaiting::kNothing) start_next();
}

// Ends the connection, whatever state it is in: tells the owner, fails what was asked, and plans the next attempt.
void Session::Impl::close(const mip6::Error& why, bool wait_for_folder) {
  ++generation;
  const bool was_good = phase == Phase::kReady && Clock::now() - ready_since >= kGoodConnection;
  failures = was_good ? 1 : failures + 1;
  phase = Phase::kClosed;
  ErrorCode ignored;
  socket.close(ignored);
  outgoing.clear();
  writing = false;
  awaiting = Awaiting::kNothing;
  registration_deadline.reset();
  auto unanswered = std::move(queue);
  queue.clear();
  plan_retry(wait_for_folder);
  report(why);
  for (auto& pending : unanswered) {
    if (phase != Phase::kDestroyed && pending.done) pending.done(tl::unexpected(why));
  }
}

void Session::Impl::plan_retry(bool wait_for_folder) {
  // Without inotify nothing tells of the folder: then by time, as after any other failure.
  if (wait_for_folder && watching && tries_after_change == 0) return arm_timer();
  if (tries_after_change > 0) --tries_after_change;
  const auto doublings = std::min(failures - 1, 9U);
  const auto delay = failures == 1 ? milliseconds{0} : std::min(kFirstRetry * (1 << doublings), kLastRetry);
  retry_at = Clock::now() + delay;
  arm_timer();
}

void Session::Impl::report(const mip6::Error& why) {
  std::pair<std::string, int> reason{why.reason, why.os_error};
  if (reported == reason) return;
  reported = std::move(reason);
  if (handlers.disconnected) handlers.disconnected(why);
}

// --- bytes ---

void Session::Impl::send(const Packet& packet) {
  const auto bytes = encode(packet);
  if (!bytes) return protocol_error(fmt::format("cannot encode {}: {}", packet.name, bytes.error().reason));
  const auto size = static_cast<std::uint32_t>(bytes->size());
  std::vector<std::uint8_t> framed;
  framed.reserve(bytes->size() + 4);
  for (const unsigned shift : {24U, 16U, 8U, 0U}) framed.push_back(static_cast<std::uint8_t>(size >> shift & 0xff));
  framed.insert(framed.end(), bytes->begin(), bytes->end());
  outgoing.push_back(std::move(framed));
  if (!writing) write_next();
}

void Session::Impl::write_next() {
  if (outgoing.empty()) return;
  writing = true;
  // The bytes go with the handler: close() empties `outgoing` while the write may still be under way.
  auto bytes = std::make_shared<std::vector<std::uint8_t>>(std::move(outgoing.front()));
  outgoing.pop_front();
  asio::async_write(socket, asio::buffer(*bytes),
                    [self = shared_from_this(), mine = generation, bytes](const ErrorCode& result, std::size_t) {
                      if (mine != self->generation) return;
                      self->writing = false;
                      // The reading side sees the same end, with a better reason.
                      if (!result) self->write_next();
                    });
}

void Session::Impl::read_length() {
  asio::async_read(
      socket, asio::buffer(length),
      [self = shared_from_this(), mine = generation](const ErrorCode& result, std::size_t) {
        if (mine != self->generation) return;
        if (result) {
          const bool ended = result == asio::error::eof;
          self->close(self->error("talk to charon", ended ? "charon has gone away" : result.message(),
                                  "start strongSwan: systemctl start strongswan", ended ? 0 : result.value()),
                      false);
          return;
        }
        const auto& in = self->length;
        const std::size_t size = static_cast<std::size_t>(in[0]) << 24 | static_cast<std::size_t>(in[1]) << 16 |
                                 static_cast<std::size_t>(in[2]) << 8 | in[3];
        if (size == 0 || size > kMaxPacketSize) {
          return self->protocol_error(fmt::format("a packet of {} bytes", size));
        }
        self->read_body(size);
      });
}

void Session::Impl::read_body(std::size_t size) {
  body.resize(size);
  asio::async_read(socket, asio::buffer(body),
                   [self = shared_from_this(), mine = generation](const ErrorCode& result, std::size_t) {
                     if (mine != self->generation) return;
                     if (result) return self->protocol_error("the connection ended within a packet");
                     const auto packet = decode(self->body);
                     if (!packet) {
                       return self->protocol_error(
                           fmt::format("{} at byte {} of a packet", packet.error().reason, packet.error().offset));
                     }
                     self->received(*packet);
                     if (mine == self->generation) self->read_length();
                   });
}

void Session::Impl::protocol_error(std::string reason) {
  close(error("talk to charon", std::move(reason), "check that the socket is charon's (plugins.vici.socket)"), false);
}

// --- dispatch ---

void Session::Impl::received(const Packet& packet) {
  if (packet.type == PacketType::kEvent) return got_event(packet);
  if (phase == Phase::kReady) return answered(packet);
  if (packet.type == PacketType::kEventConfirm) {
    ++registered;
    return register_next();
  }
  if (packet.type == PacketType::kEventUnknown) {
    // Only another charon would know it, and another charon makes its socket anew.
    return close(error("register for the event " + registering[registered], "charon does not know it",
                       "use strongSwan 5.9 or later"),
                 true);
  }
  protocol_error("an answer to a registration that is none");
}

void Session::Impl::got_event(const Packet& packet) {
  const bool of_stream = awaiting != Awaiting::kNothing && !queue.empty() && queue.front().stream == packet.name &&
                         !queue.front().command.empty();
  if (!of_stream) {
    // Before all are registered the owner knows nothing yet that an event could change.
    if (phase == Phase::kReady && handlers.event) handlers.event(packet.name, packet.message);
    return;
  }
  auto& items = queue.front().response.items;
  if (items.size() == kMaxStreamedItems) return protocol_error("a streamed answer without end");
  items.push_back(packet.message);
}

void Session::Impl::answered(const Packet& packet) {
  const bool is_response = packet.type == PacketType::kCommandResponse || packet.type == PacketType::kCommandUnknown;
  const bool is_confirmation = packet.type == PacketType::kEventConfirm || packet.type == PacketType::kEventUnknown;
  if (awaiting == Awaiting::kNothing || (awaiting == Awaiting::kResponse ? !is_response : !is_confirmation)) {
    return protocol_error("an answer that nothing was asked for");
  }
  auto& active = queue.front();
  const bool unknown = packet.type == PacketType::kCommandUnknown || packet.type == PacketType::kEventUnknown;
  if (awaiting == Awaiting::kStreamUnregistered) return finish(std::move(active.response));
  if (unknown) {
    const auto& name = awaiting == Awaiting::kResponse ? active.command : active.stream;
    return finish(tl::unexpected(
        error("ask charon for " + what(active), "charon does not know " + name, "use strongSwan 5.9 or later")));
  }
  if (awaiting == Awaiting::kStreamRegistered) {
    if (active.command.empty()) return finish(std::move(active.response));
    awaiting = Awaiting::kResponse;
    return send({PacketType::kCommandRequest, active.command, active.message});
  }
  active.response.message = packet.message;
  if (active.stream.empty()) return finish(std::move(active.response));
  awaiting = Awaiting::kStreamUnregistered;
  send({PacketType::kEventUnregister, active.stream, {}});
}

// --- requests ---

void Session::Impl::enqueue(Pending pending) {
  queue.push_back(std::move(pending));
  if (awaiting == Awaiting::kNothing && phase == Phase::kReady) start_next();
  arm_timer();
}

void Session::Impl::change_registration(const std::string& event, bool registers, milliseconds deadline, Done done) {
  const bool is_registered = std::erase(events, event) > 0;
  if (registers) events.push_back(event);
  const bool at_charon = phase == Phase::kRegistering || phase == Phase::kReady;
  // Who waits for it waits for an earlier change that is still queued, too.
  const bool queued = at_charon && (is_registered != registers || done);
  if (!queued) {
    if (done)
      asio::post(loop, [self = shared_from_this(), done = std::move(done)] {
        if (self->phase != Phase::kDestroyed) done(Response{});
      });
    return;
  }
  enqueue({{}, {}, event, Clock::now() + deadline, std::move(done), {}, registers});
}

void Session::Impl::start_next() {
  if (queue.empty()) return arm_timer();
  auto& next = queue.front();
  awaiting = next.stream.empty() ? Awaiting::kResponse : Awaiting::kStreamRegistered;
  if (next.deadline == kNever) next.deadline = Clock::now() + kRegistrationPatience;
  if (next.command.empty() && !next.registers) {
    awaiting = Awaiting::kStreamUnregistered;
    send({PacketType::kEventUnregister, next.stream, {}});
  } else if (next.stream.empty()) {
    send({PacketType::kCommandRequest, next.command, next.message});
  } else {
    send({PacketType::kEventRegister, next.stream, {}});
  }
  arm_timer();
}

void Session::Impl::finish(tl::expected<Response, mip6::Error> result) {
  // An unknown command of a streamed request leaves its registration behind; nothing is streamed without a command.
  auto done = std::move(queue.front().done);
  queue.pop_front();
  awaiting = Awaiting::kNothing;
  const auto mine = generation;
  if (done) done(std::move(result));
  if (mine == generation && phase == Phase::kReady && awaiting == Awaiting::kNothing) start_next();
}

void Session::Impl::fail_later(Done done, mip6::Error why) {
  if (!done) return;
  asio::post(loop, [self = shared_from_this(), done = std::move(done), why = std::move(why)] {
    if (self->phase != Phase::kDestroyed) done(tl::unexpected(why));
  });
}

// --- time ---

void Session::Impl::arm_timer() {
  std::optional<Clock::time_point> first = retry_at;
  const auto consider = [&first](Clock::time_point at) { first = first ? std::min(*first, at) : at; };
  if (registration_deadline) consider(*registration_deadline);
  for (const auto& pending : queue)
    if (pending.deadline != kNever) consider(pending.deadline);
  timer.cancel();
  if (!first || phase == Phase::kDestroyed) return;
  timer.expires_at(*first);
  timer.async_wait([weak = weak_from_this()](const ErrorCode& result) {
    const auto self = weak.lock();
    if (self && !result && self->phase != Phase::kDestroyed) self->timer_fired();
  });
}

void Session::Impl::timer_fired() {
  const auto now = Clock::now();
  if (retry_at && *retry_at <= now) {
    connect();
    return arm_timer();
  }
  if (registration_deadline && *registration_deadline <= now) {
    // A stopped charon answers when it goes on; connecting again and again would be polling.
    registration_deadline.reset();
    report(error("register for charon's events", "charon does not answer",
                 "look at charon's process and log, restart strongSwan: systemctl restart strongswan", ETIMEDOUT));
  }
  if (awaiting != Awaiting::kNothing && queue.front().deadline <= now) {
    return close(error("ask charon for " + what(queue.front()), "charon does not answer",
                       "look at charon's process and log, restart strongSwan: systemctl restart strongswan", ETIMEDOUT),
                 false);
  }
  const auto first_waiting = queue.begin() + (awaiting == Awaiting::kNothing ? 0 : 1);
  // A change of what is registered is made all the same, when charon goes on; nobody waits for it any longer.
  for (auto one = first_waiting; one != queue.end(); ++one) {
    if (!one->command.empty() || one->deadline > now) continue;
    one->deadline = kNever;
    fail_later(std::move(one->done), late(*one));
  }
  const auto expired =
      std::stable_partition(first_waiting, queue.end(), [now](const Pending& one) { return one.deadline > now; });
  for (auto one = expired; one != queue.end(); ++one) {
    fail_later(std::move(one->done), late(*one));
  }
  queue.erase(expired, queue.end());
  arm_timer();
}

mip6::Error Session::Impl::error(std::string tried, std::string reason, std::string remedy, int os_error) const {
  return {.tried = std::move(tried),
          .on = socket_path.string(),
          .reason = std::move(reason),
          .remedy = std::move(remedy),
          .os_error = os_error};
}

// --- the public face ---

Session::Session(asio::io_context& loop, std::filesystem::path socket, std::vector<std::string> events,
                 Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, std::move(socket), std::move(events), std::move(handlers))) {}

Session::~Session() {
  impl_->phase = Impl::Phase::kDestroyed;
  ++impl_->generation;
  ErrorCode ignored;
  impl_->socket.close(ignored);
  impl_->timer.cancel();
  impl_->watch.reset();
  impl_->queue.clear();
}

void Session::start() {
  const auto impl = impl_;  // the first failure may be reported at once, and the owner may let go of us for it
  if (impl->phase == Impl::Phase::kNew) impl->connect();
}

void Session::request(std::string command, Section message, std::string stream, milliseconds deadline, Done done) {
  const Packet packet{PacketType::kCommandRequest, command, message};
  if (const auto bytes = encode(packet); !bytes) {
    impl_->fail_later(std::move(done), impl_->error("ask charon for " + command, std::string(bytes.error().reason),
                                                    "report this as a bug"));
    return;
  }
  Impl::Pending pending{std::move(command),      std::move(message), std::move(stream),
                        Clock::now() + deadline, std::move(done),    {}};
  impl_->enqueue(std::move(pending));
}

void Session::follow(const std::string& event, milliseconds deadline) {
  impl_->change_registration(event, true, deadline, {});
}

void Session::unregister(const std::string& event, milliseconds deadline, Done done) {
  impl_->change_registration(event, false, deadline, std::move(done));
}

}  // namespace ike
