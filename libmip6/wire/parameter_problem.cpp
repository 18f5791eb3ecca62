// Reading an ICMPv6 Parameter Problem.
#include "libmip6/wire/parameter_problem.hpp"

#include "libmip6/wire/home_address_option.hpp"
#include "libmip6/wire/reader.hpp"

namespace mip6 {
namespace {

constexpr std::uint8_t kParameterProblemType = 4;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kIpVersion = 6;

}  // namespace

tl::expected<ParameterProblem, ParseError> parse_parameter_problem(std::span<const std::uint8_t> bytes) {
  Reader in{bytes};
  ParameterProblem problem;
  if (in.u8() != kParameterProblemType) in.fail_at(0, "not a Parameter Problem");
  problem.code = in.u8();
  in.skip(sizeof(std::uint16_t));  // checksum
  problem.pointer = in.u32();
  const std::size_t quoted = in.offset();
  if (in.u32() >> 28U != kIpVersion) in.fail_at(quoted, "the quoted packet is not IPv6");
  in.skip(sizeof(std::uint16_t));  // payload length: the quotation may be shorter
  problem.protocol = in.u8();
  in.u8();  // hop limit
  problem.source = in.address();
  problem.destination = in.address();
  if (in.ok() && problem.protocol == kDestinationOptions) {
    const std::size_t begin = in.offset();
    in.u8();
    const std::size_t length = (in.u8() + 1U) * 8U;
    in.skip(length - 2);
    if (in.ok()) {
      const auto options = parse_destination_options(bytes.subspan(begin, length));
      if (!options) return tl::unexpected(ParseError{options.error().offset + begin, options.error().reason});
      problem.protocol = options->next_header;
      problem.home_address = options->home_address;
    }
  }
  if (!in.ok()) return tl::unexpected(*in.error());
  return problem;
}

}  // namespace mip6
