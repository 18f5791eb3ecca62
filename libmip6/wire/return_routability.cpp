// The messages of the return routability procedure (RFC 6275 sections 6.1.3 to 6.1.6).
#include "libmip6/wire/return_routability.hpp"

#include "libmip6/wire/codec.hpp"
#include "libmip6/wire/options.hpp"

namespace mip6 {
namespace {

// Both inits look the same, and so do both tests.
template <class T>
T parse_init(Reader& in) {
  T init;
  in.skip(2);
  init.cookie = in.array<8>();
  init.options = parse_options(in);
  return init;
}

template <class T>
void write_init(const T& init, Writer& out) {
  out.u16(0);
  out.append(init.cookie);
  write_options(init.options, out);
}

template <class T>
T parse_test(Reader& in) {
  T test;
  test.nonce_index = in.u16();
  test.cookie = in.array<8>();
  test.token = in.array<8>();
  test.options = parse_options(in);
  return test;
}

template <class T>
void write_test(const T& test, Writer& out) {
  out.u16(test.nonce_index);
  out.append(test.cookie);
  out.append(test.token);
  write_options(test.options, out);
}

}  // namespace

Message parse_home_test_init(Reader& in) { return parse_init<HomeTestInit>(in); }
Message parse_care_of_test_init(Reader& in) { return parse_init<CareOfTestInit>(in); }
Message parse_home_test(Reader& in) { return parse_test<HomeTest>(in); }
Message parse_care_of_test(Reader& in) { return parse_test<CareOfTest>(in); }

void write(const HomeTestInit& init, Writer& out) { write_init(init, out); }
void write(const CareOfTestInit& init, Writer& out) { write_init(init, out); }
void write(const HomeTest& test, Writer& out) { write_test(test, out); }
void write(const CareOfTest& test, Writer& out) { write_test(test, out); }

}  // namespace mip6
