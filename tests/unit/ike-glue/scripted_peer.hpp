// charon's side of a VICI socket, played byte by byte on the test's own loop.
#pragma once

#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "ike-glue/session.hpp"
#include "ike-glue/vici.hpp"

namespace ike_test {

namespace asio = boost::asio;
using ike::Packet;
using ike::PacketType;
using ike::Section;

// A folder that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vici-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Runs the loop until `done` holds; false if nothing brings it about (a guard, never the judge, of time).
inline bool run_until(asio::io_context& loop, const std::function<bool()>& done) {
  loop.restart();
  while (!done()) {
    if (loop.run_one_for(std::chrono::seconds(20)) == 0) return false;
  }
  return true;
}

class Peer {
 public:
  Peer(asio::io_context& loop, const std::filesystem::path& path) : acceptor_(loop), socket_(loop), path_(path) {
    listen();
  }

  void listen() {
    std::filesystem::remove(path_);
    const asio::local::stream_protocol::endpoint endpoint(path_.string());
    acceptor_.open();
    acceptor_.bind(endpoint);
    acceptor_.listen();
    accept();
  }
  void stop_listening() { acceptor_.close(); }  // the file stays, as charon's does

  void send(const Packet& packet) {
    const auto encoded = ike::encode(packet).value();
    const auto size = static_cast<std::uint32_t>(encoded.size());
    std::vector<std::uint8_t> framed{static_cast<std::uint8_t>(size >> 24), static_cast<std::uint8_t>(size >> 16),
                                     static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
    framed.insert(framed.end(), encoded.begin(), encoded.end());
    send_bytes(framed);
  }
  void send_bytes(const std::vector<std::uint8_t>& bytes) { asio::write(socket_, asio::buffer(bytes)); }
  void respond(Section message = {}) { send({PacketType::kCommandResponse, "", std::move(message)}); }
  void confirm() { send({PacketType::kEventConfirm, "", {}}); }
  void close() { socket_.close(); }

  // What the client has sent and the test has not looked at yet.
  std::deque<Packet> received;
  int connections = 0;
  bool closed_by_client = false;
  bool confirms = true;  // answers registrations by itself and does not list them

 private:
  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, asio::local::stream_protocol::socket socket) {
      if (error) return;
      socket_ = std::move(socket);
      ++connections;
      closed_by_client = false;
      read();
      accept();
    });
  }
  void read() {
    asio::async_read(socket_, asio::buffer(length_), [this](const boost::system::error_code& error, std::size_t) {
      if (error) {
        if (error != asio::error::operation_aborted) closed_by_client = true;
        return;
      }
      body_.resize(static_cast<std::size_t>(length_[2]) << 8 | length_[3]);
      asio::async_read(socket_, asio::buffer(body_), [this](const boost::system::error_code& failed, std::size_t) {
        if (failed) return;
        take(ike::decode(body_).value());
        read();
      });
    });
  }
  void take(Packet packet) {
    const bool registration = packet.type == PacketType::kEventRegister || packet.type == PacketType::kEventUnregister;
    if (confirms && registration) return confirm();
    received.push_back(std::move(packet));
  }

  asio::local::stream_protocol::acceptor acceptor_;
  asio::local::stream_protocol::socket socket_;
  std::filesystem::path path_;
  std::array<std::uint8_t, 4> length_{};
  std::vector<std::uint8_t> body_;
};

// A session on a socket of its own folder, with everything that it told.
struct Client {
  explicit Client(std::vector<std::string> events = {"ike-updown", "child-updown"})
      : path(folder / "charon.vici"),
        session(loop, path, std::move(events),
                {[this] { ++connected; }, [this](const mip6::Error& why) { disconnected.push_back(why); },
                 [this](const std::string& name, const Section& message) { seen.emplace_back(name, message); }}) {}

  using Answer = tl::expected<ike::Response, mip6::Error>;
  // The answer appears in what is returned.
  std::shared_ptr<std::optional<Answer>> ask(std::string command, std::string stream = {},
                                             std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
    auto answer = std::make_shared<std::optional<Answer>>();
    session.request(std::move(command), Section{}.set("k", "v"), std::move(stream), deadline, [answer](Answer result) {
      if (*answer) throw std::logic_error("answered twice");
      *answer = std::move(result);
    });
    return answer;
  }
  bool run(const std::function<bool()>& done) { return run_until(loop, done); }

  Folder folder;
  std::filesystem::path path;
  asio::io_context loop;
  int connected = 0;
  std::vector<mip6::Error> disconnected;
  std::vector<std::pair<std::string, Section>> seen;
  ike::Session session;
};

}  // namespace ike_test
