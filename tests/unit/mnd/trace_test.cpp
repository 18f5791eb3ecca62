// What is kept of moves: steps in their order, the end of a move, and not more than so many.
#include "mnd/trace.hpp"

#include "tests/catch.hpp"

using namespace mnd;
using namespace std::chrono_literals;

namespace {

const Trace::Place kFirst{"w1", "2001:db8:a1::7"};
const Trace::Place kSecond{"w2", "2001:db8:a2::7"};

struct Traced {
  Trace trace;
  Trace::Time now{5s};

  Trace::Time after(std::chrono::microseconds time) { return now += time; }
  nlohmann::json last() const { return trace.to_json().back(); }
  std::string steps() const {
    const auto move = last();
    std::string text;
    for (const auto& step : move["steps"]) text += (text.empty() ? "" : ", ") + step["step"].get<std::string>();
    return text;
  }
};

}  // namespace

TEST_CASE("a move is told from the notification to the answer, in microseconds since the notification", "[trace]") {
  Traced node;
  CHECK(node.trace.to_json() == nlohmann::json::array());
  node.trace.heard(node.now);
  node.trace.path_set(node.after(100us));
  node.trace.begin(node.after(50us), kFirst, kSecond);
  node.trace.step(node.after(850us), "update sent");
  CHECK(node.last()["result"] == "under way");
  CHECK(node.last()["registered_us"].is_null());
  node.trace.step(node.after(20ms), "acknowledgement received");
  node.trace.registered(node.after(1ms));
  const auto move = node.last();
  CHECK(node.steps() ==
        "notification read, path to the home agent set, attachment chosen, update sent, acknowledgement received");
  CHECK(move["steps"][1]["us"] == 100);
  CHECK(move["steps"][3]["us"] == 1000);
  CHECK(move["monotonic_us"] == 5000000);
  CHECK(move["registered_us"] == 22000);
  CHECK(move["result"] == "registered");
  CHECK(move["from"] == nlohmann::json{{"interface", "w1"}, {"address", "2001:db8:a1::7"}});
}

TEST_CASE("what comes after a move is not its own", "[trace]") {
  Traced node;
  node.trace.heard(node.now);
  node.trace.begin(node.now, {}, kSecond);
  node.trace.registered(node.after(1ms));
  node.trace.step(node.after(1s), "update sent");  // a refresh
  node.trace.keys_came(node.after(1s));
  CHECK(node.steps() == "notification read, attachment chosen");
  CHECK(node.last()["from"].is_null());
}

TEST_CASE("a move that needs new keys goes on until they are there, in whichever order", "[trace]") {
  const bool keys_first = GENERATE(false, true);
  Traced node;
  node.trace.heard(node.now);
  node.trace.begin(node.now, kFirst, kSecond);
  node.trace.keys_wanted(node.after(1ms));
  if (keys_first) node.trace.keys_came(node.after(1ms));
  node.trace.registered(node.after(1ms));
  if (!keys_first) node.trace.keys_came(node.after(1ms));
  node.trace.step(node.after(1s), "update sent");
  CHECK(node.steps() == "notification read, attachment chosen, new keys asked for, new keys usable");
  CHECK(node.last()["registered_us"] == (keys_first ? 3000 : 2000));
}

TEST_CASE("a move before whose end another one begins is overtaken", "[trace]") {
  Traced node;
  node.trace.heard(node.now);
  node.trace.begin(node.now, kFirst, kSecond);
  node.trace.heard(node.after(1ms));
  node.trace.begin(node.now, kSecond, kFirst);
  CHECK(node.trace.to_json()[0]["result"] == "overtaken");
  CHECK(node.trace.to_json()[1]["result"] == "under way");
}

TEST_CASE("a notification of which no move comes leaves nothing", "[trace]") {
  Traced node;
  node.trace.heard(node.now);
  node.trace.path_set(node.after(1ms));
  node.trace.heard(node.after(1s));
  node.trace.begin(node.after(1ms), kFirst, kSecond);
  CHECK(node.steps() == "notification read, attachment chosen");
  CHECK(node.last()["monotonic_us"] == 6001000);
}

TEST_CASE("moves and steps are bounded", "[trace]") {
  Traced node;
  for (std::size_t i = 0; i < Trace::kKept + 5; ++i) {
    node.trace.heard(node.after(1s));
    node.trace.begin(node.now, kFirst, kSecond);
  }
  CHECK(node.trace.to_json().size() == Trace::kKept);
  for (std::size_t i = 0; i < 1000; ++i) node.trace.step(node.now, "update sent");
  CHECK(node.last()["steps"].size() == Trace::kSteps);
}
