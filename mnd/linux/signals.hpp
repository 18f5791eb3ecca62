// Signals as events of the loop; those that nobody has been told of yet outlive the program that is started in place of
// this one (self_start.hpp).
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <initializer_list>
#include <memory>

namespace mnd::kernel {

class Signals {
 public:
  // Blocks `numbers` for this thread and those that it starts, and for good: each stays pending with the kernel until
  // `caught` is told of it, also over an exec. Throws if the kernel gives no descriptor.
  Signals(boost::asio::io_context& loop, std::initializer_list<int> numbers, std::function<void(int number)> caught);
  ~Signals();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the wait that is pending in the loop
};

}  // namespace mnd::kernel
