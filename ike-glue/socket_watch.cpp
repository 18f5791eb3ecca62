// inotify behind SocketWatch.
#include "ike-glue/socket_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstring>
#include <string_view>

namespace ike {

struct SocketWatch::Impl : std::enable_shared_from_this<Impl> {
  Impl(boost::asio::io_context& loop, std::filesystem::path watched, std::function<void()> on_change)
      : path(std::move(watched)), changed(std::move(on_change)), descriptor(loop) {}

  bool start();
  void read();
  bool concerns_us(std::size_t size) const;

  std::filesystem::path path;
  std::function<void()> changed;
  boost::asio::posix::stream_descriptor descriptor;
  std::string awaited;  // name in the watched folder
  alignas(inotify_event) std::array<char, 4096> buffer{};
  std::uint64_t generation = 0;
};

bool SocketWatch::Impl::start() {
  boost::system::error_code ignored;
  descriptor.close(ignored);
  ++generation;
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return false;
  descriptor.assign(fd, ignored);

  auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  awaited = path.filename().string();
  constexpr std::uint32_t kChanges = IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
  while (::inotify_add_watch(fd, folder.c_str(), kChanges) < 0) {
    if (!folder.has_relative_path()) return false;
    awaited = folder.filename().string();
    folder = folder.has_parent_path() ? folder.parent_path() : std::filesystem::path(".");
  }
  read();
  return true;
}

void SocketWatch::Impl::read() {
  descriptor.async_read_some(
      boost::asio::buffer(buffer),
      [self = shared_from_this(), mine = generation](const boost::system::error_code& error, std::size_t size) {
        if (error || mine != self->generation) return;
        const bool concerned = self->concerns_us(size);
        self->read();
        if (concerned) self->changed();
      });
}

// Other programs make and remove files in /run all the time; those must not wake anybody up further.
bool SocketWatch::Impl::concerns_us(std::size_t size) const {
  std::size_t offset = 0;
  while (offset + sizeof(inotify_event) <= size) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + offset, sizeof event);
    const char* name = buffer.data() + offset + sizeof event;
    if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_Q_OVERFLOW)) != 0) return true;
    if (event.len > 0 && std::string_view(name) == awaited) return true;
    offset += sizeof event + event.len;
  }
  return false;
}

SocketWatch::SocketWatch(boost::asio::io_context& loop, std::filesystem::path path, std::function<void()> changed)
    : impl_(std::make_shared<Impl>(loop, std::move(path), std::move(changed))) {}
SocketWatch::~SocketWatch() { stop(); }
bool SocketWatch::start() { return impl_->start(); }

void SocketWatch::stop() {
  ++impl_->generation;
  boost::system::error_code ignored;
  impl_->descriptor.close(ignored);
}

}  // namespace ike
