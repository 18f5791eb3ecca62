// A session with charon on its VICI socket: reconnects by itself, one command at a time, every request has a deadline.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "ike-glue/vici.hpp"
#include "libmip6/error.hpp"

namespace ike {

struct Response {
  Section message;             // the final answer
  std::vector<Section> items;  // of a streamed command, in order
};

inline constexpr std::chrono::milliseconds kUnregisterPatience{500};

class Session {
 public:
  struct Handlers {
    std::function<void()> connected;                           // events are registered, requests can be made
    std::function<void(const mip6::Error& why)> disconnected;  // also: connecting failed; once for each new reason
    std::function<void(const std::string& name, const Section& message)> event;
  };
  using Done = std::function<void(tl::expected<Response, mip6::Error>)>;

  // `events`: registered on each connection before `connected` is called. Looks for the socket again when its folder
  // changes (inotify); no polling, unless inotify fails: then every 10 s at the latest. Handlers may make requests and
  // may destroy the Session.
  Session(boost::asio::io_context& loop, std::filesystem::path socket, std::vector<std::string> events,
          Handlers handlers);
  ~Session();
  void start();

  // Queued behind earlier requests. `stream`: event name of a streamed command ("list-sa"), empty otherwise.
  // `done` is called exactly once, never from within this call: with an error when the deadline passes (the connection
  // is then closed and made anew, since VICI has no request numbers), or when the connection ends. Not called any more
  // once the Session is destroyed. While there is no connection requests wait for the next attempt to make one.
  void request(std::string command, Section message, std::string stream, std::chrono::milliseconds deadline, Done done);

  // This event too, on later connections as well; queued as a request is, so that what is asked later has its effects
  // told. Nothing happens if it is registered already.
  void follow(const std::string& event, std::chrono::milliseconds deadline);

  // No more of this event, also on later connections; queued as a request is. Due before the end of a Session that has
  // `log`: charon 5.9 may log that a connection with it has gone, to that connection, and so on, for half a minute.
  // kUnregisterPatience is the deadline for who only wants to end. `done` may be empty.
  void unregister(const std::string& event, std::chrono::milliseconds deadline, Done done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ike
