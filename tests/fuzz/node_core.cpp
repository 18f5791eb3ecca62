// Fuzz target: the mobile node's home registration, fed with events that the bytes choose (node.hpp).
#include "tests/fuzz/node.hpp"

namespace {

mip6::node::HomeRegistration registration(fuzz::Input& in) {
  const auto policy = fuzz::draw_registration_policy(in);
  return {policy, fuzz::draw_stored(in)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in{data, size};
  fuzz::Node<mip6::node::HomeRegistration, mip6::node::Action> node{in, registration(in)};
  while (!in.empty()) node.step();
  node.check_memory();
  return 0;
}
