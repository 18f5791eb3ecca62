// What the user wants of the registration: now, or until `mip6ctl resume`.
#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "mnd/daemon.hpp"
#include "mnd/farewell.hpp"

namespace mnd {

using nlohmann::json;

namespace {

const std::string kDone = kernel::control_line({{"version", kernel::kControlVersion}, {"result", "ok"}});

std::string nothing_to(const char* what) {
  return kernel::control_error(fmt::format("there is nothing to {}: no usable address", what),
                               "connect to a network first", kernel::kNotRegistered);
}

std::string deregistered_as_asked() {
  return kernel::control_error("the node is de-registered, as was asked", "register again by: mip6ctl resume",
                               kernel::kNotRegistered);
}

}  // namespace

void Daemon::refresh() {
  // Somebody may have logged in, or mended something.
  link_health_.forget();
  reconsider();
  feed(mip6::node::RefreshAsked{});
}

std::string Daemon::refresh_asked() {
  if (wishes_.deregistered) return deregistered_as_asked();
  if (!registration() || !registration()->attachment()) return nothing_to("refresh");
  refresh();
  return kDone;
}

// --- until resume ---

std::string Daemon::set_wishes(Wishes wishes) {
  wishes_ = std::move(wishes);
  movement_.only = wishes_.paused_on;
  // What cannot be stored holds for as long as the daemon runs.
  done("disk", wish_store_.store(wishes_));
  return kDone;
}

std::string Daemon::pause() {
  if (wishes_.paused_on) return kDone;
  if (wishes_.deregistered) return deregistered_as_asked();
  if (!registration() || !registration()->attachment()) return nothing_to("stay on");
  const auto interface = interface_name(registration()->attachment()->interface);
  journal_.add("asked", fmt::format("to stay on {}", interface));
  paused_interface_ = registration()->attachment()->interface;
  auto done = set_wishes({.deregistered = wishes_.deregistered, .paused_on = interface});
  reconsider();
  return done;
}

std::string Daemon::resume() {
  const auto former = wishes_;
  if (former == Wishes{}) return kDone;
  journal_.add("asked", former.deregistered ? "to register again" : "to follow the links again");
  auto done = set_wishes({});
  // A de-registration under way begins anew when it is over.
  if (former.deregistered && !node_) {
    bring_up();
    if (node_ && !manual()) feed(mip6::node::KeyManagementReachable{fast_connected_ && slow_connected_});
  }
  reconsider();
  return done;
}

void Daemon::deregister(const Told& told) {
  if (stopping_) return told(kernel::control_error("mnd is about to end", "start it again"));
  const bool already = wishes_.deregistered && !node_;
  if (!wishes_.deregistered) {
    journal_.add("asked", "to de-register, and stay so");
    set_wishes({.deregistered = true, .paused_on = wishes_.paused_on});
  }
  if (already) return told(kDone);
  deregistering_.push_back(told);
  if (node_) return feed(mip6::node::StopAsked{});
  deregistered(mip6::node::Farewell::kNotBound);
  drain();
}

// The core has done what it can; another one begins with `mip6ctl resume`.
void Daemon::deregistered(mip6::node::Farewell farewell) {
  go_quiet();
  leave_keying();
  forget_node_ = node_.has_value();
  prefixes_asked_ = false;
  for (const auto& told : std::exchange(deregistering_, {})) told(answer_to_home(farewell, config_.lifetime));
  if (!wishes_.deregistered) boost::asio::post(loop_, [this] { bring_up(); });
}

// Nobody is served at the home address: as without a binding, and it is on no link.
void Daemon::go_quiet() {
  outbound_.reset();
  attachment_reason_.clear();
  if (!tunnel_) return;
  done("tunnel", tunnel_->stop_outbound());
  leave_home_link();
  prefer_home_address(false);
  done("xfrm", xfrm_->clear_care_of(kernel::Side::kNode, ends_));
}

}  // namespace mnd
