// Nodes with certificates of the home agent's own authority; with strongSwan's real pki.
#include <fmt/format.h>

#include <cstdlib>

#include "ike-glue/credentials.hpp"
#include "tests/unit/home-agent/operator_harness.hpp"

namespace mip6ha {
namespace {

std::string printed(const std::filesystem::path& file) {
  const auto text = run_program({"pki", "--print", "--in", file.string()}, {}, "strongswan-pki");
  return text ? *text : text.error().to_string();
}

TEST_CASE("the first node with a certificate brings an authority and the home agent's own certificate",
          "[operator][pki]") {
  Operator here;
  const auto done = here.add({.name = "laptop", .method = Method::kCertificate}, "laptop.tar");
  if (!done) FAIL(done.error().front().to_string());
  const auto config = here.loaded();
  REQUIRE(config.certificate);
  CHECK((*config.certificate)->authorities.size() == 1);
  CHECK(mode(here.folder / "mip6-ha/ca") == 0700);
  CHECK(mode(here.folder / "mip6-ha/ca/ca.key") == 0600);
  CHECK(mode(here.folder / "mip6-ha/agent.pem") == 0640);
  REQUIRE(config.nodes.size() == 1);
  CHECK(ike::certificate_of(config.nodes[0].proof) != nullptr);

  const auto laptop = here.unpacked("laptop.tar", "etc");
  CHECK(has(content(laptop / "mnd.conf"), "certificate = node.pem\n"));
  const auto own = ike::parse_certificate(content(laptop / "node.pem"));
  REQUIRE(own);
  CHECK(own->root == (*config.certificate)->root);
  CHECK_FALSE(own->private_key == (*config.certificate)->private_key);
  CHECK(has(printed(here.nodes / "laptop.crt"), config.nodes[0].home_address.to_string()));
  // The node's key is nowhere but in its bundle.
  for (const auto& file : here.files())
    if (file != "laptop.tar" && !file.starts_with("etc/"))
      CHECK(content(here.folder / file).find(own->private_key) == std::string::npos);
  for (const auto& file : here.files()) CHECK_FALSE(file.ends_with(".new"));
}

TEST_CASE("a second node has a certificate of the same authority, which names its identity too", "[operator][pki]") {
  Operator here;
  REQUIRE(here.add({.name = "laptop", .method = Method::kCertificate}, "laptop.tar"));
  const auto before = content(here.folder / "mip6-ha/agent.pem");
  REQUIRE(here.add({.name = "phone", .method = Method::kCertificate, .identity = "phone.example.org"}, "phone.tar"));
  CHECK(content(here.folder / "mip6-ha/agent.pem") == before);
  CHECK(has(printed(here.nodes / "phone.crt"), "phone.example.org"));
  CHECK(here.loaded().nodes.size() == 2);
}

TEST_CASE("a node is taken by its present certificate alone, and rotate makes another", "[operator][pki]") {
  Operator here;
  REQUIRE(here.add({.name = "laptop", .method = Method::kCertificate}, "1.tar"));
  const auto first = here.loaded().nodes[0];
  CHECK(first.certificate == content(here.nodes / "laptop.crt"));
  REQUIRE(here.rotate("laptop", "2.tar"));
  const auto second = here.loaded().nodes[0];
  CHECK(second.certificate != first.certificate);
  CHECK(second.home_address == first.home_address);
  const auto bundle = content(here.unpacked("2.tar", "etc") / "node.pem");
  CHECK(bundle.find(second.certificate) != std::string::npos);
  CHECK(bundle.find(first.certificate) == std::string::npos);
  REQUIRE(here.remove("laptop"));
  CHECK_FALSE(std::filesystem::exists(here.nodes / "laptop.crt"));
}

TEST_CASE("where the home agent's certificate comes from elsewhere no node gets one of ours", "[operator][pki]") {
  Operator here;
  REQUIRE(here.add({.name = "laptop", .method = Method::kCertificate}, "1.tar"));
  const auto other = here.folder.file("other.pem", content(here.folder / "mip6-ha/agent.pem"));
  std::ofstream{here.folder / "mip6-ha/mip6-ha.conf.d/certificate.conf"} << "certificate = " << other.string() << '\n';
  CHECK(has(refusal(here.add({.name = "phone", .method = Method::kCertificate}, "2.tar")), "certificate.conf:1",
            "another authority"));
}

TEST_CASE("where no certificate can be made nothing is left", "[operator]") {
  Operator here;
  REQUIRE(here.add({.name = "desk"}));
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (here.folder / "empty").c_str(), 1);
  const auto told = refusal(here.add({.name = "laptop", .method = Method::kCertificate}, "laptop.tar"));
  ::setenv("PATH", path.c_str(), 1);
  CHECK(has(told, "cannot run pki --gen: ", "strongswan-pki"));
  CHECK_FALSE(std::filesystem::exists(here.folder / "mip6-ha/ca"));
  CHECK(here.loaded().nodes.size() == 1);
}

TEST_CASE("a program that is not there is told with its package", "[operator]") {
  const auto done = run_program({"no-such-program", "--gen"}, {}, "some-package");
  REQUIRE_FALSE(done);
  CHECK(done.error().to_string() ==
        "cannot run no-such-program --gen: No such file or directory (apt install some-package)");
  const auto failed = run_program({"pki", "--issue", "--cacert", "/none"}, {}, "strongswan-pki");
  REQUIRE_FALSE(failed);
  CHECK_FALSE(failed.error().reason.empty());
}

TEST_CASE("a program gets its input and its output is read to the end", "[operator]") {
  const std::string text(10000, 'x');
  CHECK(run_program({"cat"}, text, "coreutils") == text);
  CHECK(run_program({"head", "-c", "300000", "/dev/zero"}, {}, "coreutils")->size() == 300000);
}

}  // namespace
}  // namespace mip6ha
