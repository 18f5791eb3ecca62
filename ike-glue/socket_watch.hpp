// Tells when a path may have come into being: inotify on its folder, or on the nearest folder above that exists.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>

namespace ike {

class SocketWatch {
 public:
  // `changed` is called from the loop after the path, or a folder on the way to it, was made or its mode was changed.
  SocketWatch(boost::asio::io_context& loop, std::filesystem::path path, std::function<void()> changed);
  ~SocketWatch();

  // Watches from now on, the nearest folder that exists; call again after `changed`. False: the kernel refused.
  bool start();
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ike
