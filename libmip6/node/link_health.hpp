// Which of the attachments lead to the home agent, by what came back from there: a core without I/O. Captive networks
// and access points without uplink look as sound as any other link, router and all.
//
// With several home agents a link is given up first, a home agent after: from an attachment with two updates unanswered
// (three where the former one still works) the node goes to the next one that does not fail, with the same home agent.
// From the last of them it sends a third one; that unanswered too, it is the home agent that is silent (AgentSilent),
// and with the next one all links count as sound again. So each home agent is tried by each link, and neither's failure
// is taken for the other's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "libmip6/node/movement.hpp"
#include "libmip6/time.hpp"

namespace mip6::node {

inline constexpr Duration kFirstLinkSilence = std::chrono::seconds{30};
inline constexpr Duration kLongestLinkSilence = std::chrono::minutes{10};
inline constexpr Duration kLongestLeaving = std::chrono::minutes{1};  // a manager of networks that does not go on

class LinkHealth {
 public:
  // As usable_attachments(). `unanswered`: the home agent was asked from `current` and does not answer there
  // (MobileNode::unanswered()). If there is another attachment that does not fail, the present one counts as silent for
  // kFirstLinkSilence, and so do other addresses that go the same way; for twice as long each time that another
  // one led to the home agent meanwhile, or that no one did, one after the other (else a home agent that is down would
  // be asked the more often the more links there are); then it is as good as any, to be tried again. An attachment that
  // has gone, or whose link was down or has another router, is new when it comes. `now` never goes back.
  std::vector<Choice> choose(std::span<const Candidate> candidates, const MovementPolicy& policy,
                             const std::optional<Attachment>& current, bool unanswered, BootTime now);
  // The same for who wants to know why, see mip6::explain(); changes nothing.
  std::vector<Verdict> explain(std::span<const Candidate> candidates, const MovementPolicy& policy,
                               const std::optional<Attachment>& current) const;
  void acknowledged(const Attachment& attachment);  // an update from there was accepted
  void forget();  // nothing is known any more: there is another home agent, or the machine has slept

  // Whoever manages that interface is about to take it down: as long as there is another one it is not chosen, so the
  // node moves while packets still come in there. Ends with stays(), when the interface is down or has no router or
  // address any more, and after kLongestLeaving.
  void leaves(std::uint32_t interface, BootTime now);
  void stays(std::uint32_t interface);

  // Of the next silence, or leaving, to end: choose() again. Empty: nothing to wait for.
  std::optional<BootTime> next_deadline() const;

 private:
  struct Silence {
    Attachment attachment;
    BootTime until;
    int times = 0;         // that it was silent while another one led to the home agent
    bool counted = false;  // this time is among them
  };

  std::vector<Choice> usable(std::span<const Candidate> candidates, const MovementPolicy& policy,
                             const std::optional<Attachment>& current) const;
  std::vector<Candidate> marked(std::span<const Candidate> candidates) const;
  std::vector<Attachment> silent() const;
  void remember(const Attachment& attachment);

  std::vector<Silence> silences_;              // at most one for each way that there is
  std::map<std::uint32_t, BootTime> leaving_;  // interfaces, until when
  int rounds_ = 0;                             // in a row, in which all were silent
  bool all_silent_ = false;
  BootTime now_;
};

}  // namespace mip6::node
