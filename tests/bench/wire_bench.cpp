// The Binding Update of a typical home registration (RFC 6275 section 11.7.1) from bytes and to bytes.
#include <benchmark/benchmark.h>

#include "libmip6/wire/message.hpp"
#include "tests/bench/heap.hpp"

namespace {

using namespace mip6;

Message home_registration() {
  BindingUpdate update;
  update.sequence = SequenceNumber{41208};
  update.acknowledge = update.home_registration = update.key_mobility = true;
  update.lifetime = Lifetime{420};
  update.options = {AlternateCareOfAddress{Ipv6Address::parse("2001:db8:a2::7").value()}};
  return update;
}

void parse_binding_update(benchmark::State& state) {
  const Bytes bytes = write_message(home_registration());
  const bench::AllocationsPerIteration allocations{state};
  for (auto _ : state) {
    auto message = parse_message(bytes);
    benchmark::DoNotOptimize(message);
  }
}
BENCHMARK(parse_binding_update)->Name("ParseBindingUpdate");

// Into a buffer that is kept, as a program does that writes one message after the other.
void write_binding_update(benchmark::State& state) {
  const Message message = home_registration();
  Bytes bytes;
  write_message(message, bytes);
  const bench::AllocationsPerIteration allocations{state};
  for (auto _ : state) {
    write_message(message, bytes);
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(write_binding_update)->Name("WriteBindingUpdate");

}  // namespace
