// A list of texts that never changes once made: copies share it. A home agent has the same proposals for each of its
// nodes, a hundred thousand perhaps, in several places.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ike {

class SharedTexts {
 public:
  using Texts = std::vector<std::string>;
  SharedTexts() = default;
  SharedTexts(Texts texts) : texts_{std::make_shared<const Texts>(std::move(texts))} {}  // stands for them
  SharedTexts(std::initializer_list<std::string> texts) : SharedTexts(Texts(texts)) {}

  const Texts& texts() const {
    static const Texts kNone;
    return texts_ ? *texts_ : kNone;
  }
  operator const Texts&() const { return texts(); }
  auto begin() const { return texts().begin(); }
  auto end() const { return texts().end(); }
  friend bool operator==(const SharedTexts& one, const SharedTexts& other) { return one.texts() == other.texts(); }
  friend bool operator==(const SharedTexts& one, const Texts& other) { return one.texts() == other; }

 private:
  std::shared_ptr<const Texts> texts_;
};

}  // namespace ike
