// The control socket of both daemons: one JSON object per line on a Unix stream socket, for root and one group only.
// A request is {"command": "status", ...}; the answer is one object, or for "watch" and "events" with follow a stream.
// What takes long to tell or to do is answered piece by piece, or later: everybody else is served meanwhile.
// The bytes that come in are from anybody who may connect: limited in length, never trusted. One request is answered at
// a time, or one piece of an answer made, the loop's other work between two of them; a client's next one when all
// before it is sent.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "libmip6/error.hpp"
#include "mnd/linux/refusals.hpp"

namespace mnd::kernel {

inline constexpr std::size_t kMaxControlLine = 64 * 1024;  // bytes of a request; more closes the connection
inline constexpr int kMaxControlClients = 64;  // one more closes the oldest, of those that may only look first
inline constexpr std::size_t kMaxControlBacklog = 1024 * 1024;  // bytes waiting for a client that does not read;
                                                                // a single answer may be longer
inline constexpr int kControlVersion = 1;

// Who asks, by the credentials of its end of the socket.
enum class Asker : std::uint8_t {
  kOther,   // may look, where Readers::kEveryone is set
  kMember,  // of the group
  kRoot,    // root, or the user that this daemon runs as
};
enum class Readers : std::uint8_t { kGroup, kEveryone };  // who may connect

class ControlServer {
 public:
  // What the daemon answers. `stream` true: the client stays and gets what publish() sends.
  struct Answer {
    std::string line;  // one JSON object without newline
    bool stream = false;
    // What follows in the same line, asked for when all before it is sent; nothing: that was all.
    std::function<std::optional<std::string>()> rest{};
    // In place of all that: called at once with what is to be given the line, once, sooner or later.
    std::function<void(std::function<void(std::string line)> told)> later{};
  };
  using Handler = std::function<Answer(const nlohmann::json& request, Asker asker)>;

  // Makes the socket (mode 0660, group `group` if it exists, else root only; mode 0666 for everyone); a stale one is
  // replaced, a live one is an error ("already running"). Its folder is made if missing (0755).
  static tl::expected<std::unique_ptr<ControlServer>, mip6::Error> open(boost::asio::io_context& loop,
                                                                        const std::filesystem::path& path,
                                                                        const std::string& group, Handler handler,
                                                                        Readers readers = Readers::kGroup);
  virtual ~ControlServer() = default;  // removes the socket
  // To every client that asked for a stream; a client that does not read is closed when kMaxControlBacklog waits for
  // it.
  virtual void publish(const std::string& line) = 0;
  virtual bool has_streams() const = 0;
  virtual Refusals refusals() const = 0;
};

// One line of a client as a request: a JSON object, not nested deeper than kMaxControlDepth, with a text member
// "command". The error's reason and remedy are for the client.
inline constexpr int kMaxControlDepth = 16;
tl::expected<nlohmann::json, mip6::Error> parse_control_request(std::string_view line);

// A message as it is sent, without the end of the line; bytes that are not UTF-8 are replaced.
std::string control_line(const nlohmann::json& message);
// What kind of refusal it is, for programs; mip6ctl(1) has an exit status for each.
inline constexpr std::string_view kFailed = "failed";
inline constexpr std::string_view kNotRegistered = "not-registered";
inline constexpr std::string_view kNotPermitted = "not-permitted";
// {"version": 1, "error": {"what": ..., "remedy": ..., "kind": ...}}, as a line.
std::string control_error(const std::string& what, const std::string& remedy, std::string_view kind = kFailed);

}  // namespace mnd::kernel
