// dissect-write CAPTURE FIELDS: writes messages of every family into a capture, one packet each, and into FIELDS a line
// per packet with what tshark should find there ("field=value", tabs between).
#include <cstdio>
#include <fstream>
#include <iostream>
#include <span>
#include <string_view>

#include "tests/dissect/expected.hpp"
#include "tests/generated_messages.hpp"

using namespace mip6;
using mip6::test::Expected;
using mip6::test::Generator;

namespace {

constexpr std::uint32_t kSeeds = 30;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint32_t kLinkTypeRawIp = 101;

struct Envelope {
  Ipv6Address source;
  Ipv6Address destination;
  std::uint8_t hop_limit = 64;
  std::optional<Ipv6Address> home_address{};       // sent in a Home Address option
  std::optional<Ipv6Address> final_destination{};  // sent in a type 2 routing header
};

void append(Bytes& to, std::span<const std::uint8_t> from) { to.insert(to.end(), from.begin(), from.end()); }

// The IPv6 packet with the extension headers that the envelope asks for, around a message whose checksum is filled in.
Bytes packet(const Envelope& envelope, Bytes message, UpperLayer protocol) {
  const std::size_t checksum_offset = protocol == UpperLayer::kIcmp ? 2 : 4;
  const auto sum = checksum(message, envelope.home_address.value_or(envelope.source),
                            envelope.final_destination.value_or(envelope.destination), protocol);
  message[checksum_offset] = static_cast<std::uint8_t>(sum >> 8);
  message[checksum_offset + 1] = static_cast<std::uint8_t>(sum & 0xff);

  auto next = static_cast<std::uint8_t>(protocol);
  Bytes headers;
  if (envelope.home_address) {
    headers = write_destination_options({.next_header = next, .home_address = envelope.home_address});
    next = kDestinationOptions;
  }
  if (envelope.final_destination) {
    headers = write_type2_routing_header({.next_header = next, .home_address = *envelope.final_destination});
    next = kRouting;
  }
  const auto length = headers.size() + message.size();
  Bytes bytes{0x60,
              0,
              0,
              0,
              static_cast<std::uint8_t>(length >> 8),
              static_cast<std::uint8_t>(length & 0xff),
              next,
              envelope.hop_limit};
  append(bytes, envelope.source.bytes);
  append(bytes, envelope.destination.bytes);
  append(bytes, headers);
  append(bytes, message);
  return bytes;
}

class Output {
 public:
  Output(const char* capture, const char* fields) : capture_{capture, std::ios::binary}, fields_{fields} {
    for (const std::uint32_t word : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 0xffffU, kLinkTypeRawIp}) put(word);
  }

  void add(const Envelope& envelope, const Bytes& message, UpperLayer protocol, Expected fields) {
    if (envelope.home_address) fields.add("ipv6.opt.mipv6.home_address", *envelope.home_address);
    if (envelope.final_destination) {
      fields.add("ipv6.routing.mipv6.home_address", *envelope.final_destination);
      fields.add("ipv6.routing.segleft", std::uint64_t{1});
    }
    const auto bytes = packet(envelope, message, protocol);
    const auto size = static_cast<std::uint32_t>(bytes.size());
    for (const std::uint32_t word : {count_, 0U, size, size}) put(word);
    capture_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    fields_ << fields.line() << '\n';
    ++count_;
  }
  bool good() {
    capture_.flush();
    fields_.flush();
    return capture_.good() && fields_.good();
  }

 private:
  // In the byte order of this machine: the first word tells which that is.
  void put(std::uint32_t word) { capture_.write(reinterpret_cast<const char*>(&word), sizeof word); }

  std::ofstream capture_;
  std::ofstream fields_;
  std::uint32_t count_ = 0;
};

void write_messages(Generator& generator, Output& output) {
  for (std::size_t kind = 0; kind < std::variant_size_v<Message>; ++kind) {
    const auto message = generator.message(kind);
    Envelope envelope{generator.address(), generator.address()};
    if (std::holds_alternative<BindingUpdate>(message)) envelope.home_address = generator.address();
    if (std::holds_alternative<BindingAcknowledgement>(message)) envelope.final_destination = generator.address();
    Expected fields;
    expect(message, fields);
    output.add(envelope, write_message(message), UpperLayer::kMobilityHeader, fields);
  }
}

void write_icmp_messages(Generator& generator, Output& output) {
  for (std::size_t kind = 0; kind < std::variant_size_v<IcmpMessage>; ++kind) {
    const auto message = generator.icmp_message(kind);
    Envelope envelope{generator.address(), generator.address()};
    if (std::holds_alternative<MobilePrefixSolicitation>(message)) envelope.home_address = generator.address();
    if (std::holds_alternative<MobilePrefixAdvertisement>(message)) envelope.final_destination = generator.address();
    if (std::holds_alternative<RouterAdvertisement>(message))
      envelope = {*Ipv6Address::parse("fe80::1"), *Ipv6Address::parse("ff02::1"), 255};
    Expected fields;
    expect(message, fields);
    output.add(envelope, write_icmp_message(message), UpperLayer::kIcmp, fields);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: dissect-write CAPTURE FIELDS\n";
    return 2;
  }
  Output output{argv[1], argv[2]};
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    Generator generator{seed};
    write_messages(generator, output);
    write_icmp_messages(generator, output);
  }
  if (output.good()) return 0;
  std::cerr << "cannot write " << argv[1] << " and " << argv[2] << '\n';
  return 1;
}
