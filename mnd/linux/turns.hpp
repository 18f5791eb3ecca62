// Requests of all clients of the control socket, and pieces of answers, one after the other, each client's next one
// behind those of the others; the loop's other work has its turn between two of them. Clients who ask without end would
// keep a daemon from its work otherwise.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace mnd::kernel {

class Turns : public std::enable_shared_from_this<Turns> {
 public:
  using Turn = std::function<void()>;
  explicit Turns(boost::asio::io_context& loop) : loop_{loop} {}

  void wait(Turn turn) {
    waiting_.push_back(std::move(turn));
    if (waiting_.size() == 1) post();
  }

 private:
  void post() {
    boost::asio::post(loop_, [self = shared_from_this()] {
      const auto turn = std::move(self->waiting_.front());
      turn();
      self->waiting_.pop_front();
      if (!self->waiting_.empty()) self->post();
    });
  }

  boost::asio::io_context& loop_;
  std::deque<Turn> waiting_;  // the first one is taken next, or runs
};

}  // namespace mnd::kernel
