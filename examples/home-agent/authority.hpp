// A certificate authority of the home agent's own, made with strongSwan's pki(1) on first use. Its key, those of the
// nodes and of the home agent are on no command line; a node's is kept nowhere but in what the node is given.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "examples/home-agent/file_change.hpp"
#include "libmip6/error.hpp"

namespace mip6ha {

struct Issued {
  std::string key;          // PEM; never printed
  std::string certificate;  // PEM
};

class Authority {
 public:
  template <typename T>
  using Expected = tl::expected<T, mip6::Error>;

  // Of a configuration's folder: its files are ca/ca.key, ca/ca.pem and agent.pem.
  explicit Authority(std::filesystem::path folder);

  bool exists() const;
  // Private key, certificate and CA certificate, for the setting `certificate`.
  std::filesystem::path agent_file() const;
  // Makes key and certificate of the authority, and those of the home agent with this identity and address, as far as
  // they are not there. Commits `change`, which must be empty.
  Expected<void> make(FileChange& change, const std::string& identity, const std::string& address) const;

  // A key and a certificate with these subjectAltNames.
  Expected<Issued> issue(const std::string& name, const std::vector<std::string>& names) const;
  // The authority's certificate, for the node's file.
  Expected<std::string> certificate() const;

 private:
  std::filesystem::path file(std::string_view name) const;
  Expected<void> make_itself(FileChange& change, const std::string& address) const;

  std::filesystem::path folder_;
};

}  // namespace mip6ha
