// What mip6ctl home is told.
#include "mnd/farewell.hpp"

#include <nlohmann/json.hpp>

#include "tests/catch.hpp"

using mip6::node::Farewell;
using mnd::answer_to_home;
using nlohmann::json;
using namespace std::chrono_literals;

TEST_CASE("home is done where the home agent has agreed, and where nothing was registered, which is told") {
  const auto agreed = json::parse(answer_to_home(Farewell::kAgreed, 420s));
  CHECK(agreed == json{{"version", 1}, {"result", "ok"}, {"was_registered", true}});
  const auto nothing = json::parse(answer_to_home(Farewell::kNotBound, 420s));
  CHECK(nothing == json{{"version", 1}, {"result", "ok"}, {"was_registered", false}});
}

TEST_CASE("that the home agent has not answered is said only where it was asked") {
  const auto what = [](Farewell farewell) {
    const auto error = json::parse(answer_to_home(farewell, 420s)).at("error");
    CHECK(error.at("remedy").get<std::string>().find("420 s") != std::string::npos);
    return error.at("what").get<std::string>();
  };
  CHECK(what(Farewell::kUnanswered) == "the home agent has not answered the de-registration");
  CHECK(what(Farewell::kRefused) == "the home agent has refused the de-registration");
  CHECK(what(Farewell::kNotAsked).find("could not be asked") != std::string::npos);
}
