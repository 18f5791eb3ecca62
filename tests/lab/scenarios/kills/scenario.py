"""SIGKILL of the node and of the home agent at every step of a registration: the first one, later ones, moves, going home
and the end, and with K refused while IKE is established anew: no number is used twice under one key, no old update is
accepted afterwards, the next registration succeeds at once, and no second IKE_SA is left behind."""

import signal
import time

import common
import esp
import ordering
from killing import Preloaded, Step
from lab import wait_for

NODE, AGENT = "mnd.mn", "ha"
# What a node that starts does first: a block of numbers is written beside the file, synced, renamed, the folder synced.
# sendto: to the kernel (netlink), and the update or its answer; recvmsg: the other end's.
NODE_STEPS = [Step(NODE, "start", "fsync"), Step(NODE, "start", "rename"), Step(NODE, "refresh", "sendto"),
              Step(NODE, "refresh", "recvmsg"), Step(NODE, "move", "sendto", 4)]
# pwrite64, fdatasync: of the database.
AGENT_STEPS = [Step(AGENT, "refresh", "recvmsg"), Step(AGENT, "refresh", "pwrite64"), Step(AGENT, "refresh", "fdatasync"),
               Step(AGENT, "refresh", "sendto"), Step(AGENT, "refresh", "sendto", 3), Step(AGENT, "move", "sendto", 4)]
# The first registration: neither end has a number yet, nor keys; and others that begin like it, after a de-registration.
ASKED, ANSWERED, AGREED = "generating IKE_AUTH request", "parsed IKE_AUTH request", "established with SPIs"
FIRST_STEPS = [Step(NODE, "first", "open")] + [
    Step(NODE, "first", seen=what) for what in (ASKED, "update", "answer")] + [
    Step(AGENT, "first", seen=ANSWERED), Step(AGENT, "first", "fdatasync")]
# The end: SIGTERM de-registers; and so does going home, from there.
END_STEPS = [Step(NODE, "end", "sendto"), Step(NODE, "end", "recvmsg"), Step(AGENT, "end", "fdatasync"),
             Step(NODE, "home", seen="update"), Step(NODE, "home", seen="answer"), Step(AGENT, "home", seen="answer")]
STEPS = FIRST_STEPS + END_STEPS + [step for pair in zip(NODE_STEPS, AGENT_STEPS) for step in pair]
STEPS += AGENT_STEPS[len(NODE_STEPS):]
# A move with K refused: charon makes the new connection, and ends the old one, without waiting for who was killed.
INITIATED, ASKED_FOR = "initiating IKE_SA", "is initiating an IKE_SA"
ENDS, ENDED = "sending DELETE for IKE_SA", "received DELETE for IKE_SA"
REFUSED = [Step(NODE, "move", seen=AGREED), Step(AGENT, "move", seen=AGREED)]
MORE_REFUSED = [Step(end, "move", seen=what) for node, agent in ((INITIATED, ASKED_FOR), (ENDS, ENDED))
                for end, what in ((NODE, node), (AGENT, agent))]
# Other moments of the same: of the long form.
MORE = [Step(NODE, "start", "open"), Step(NODE, "start", "fsync", 2), Step(AGENT, "refresh", "pwrite64", 2),
        Step(AGENT, "refresh", "sendto", 2), Step(NODE, "first", seen=AGREED), Step(AGENT, "first", "recvmsg"),
        Step(AGENT, "first", seen="answer"), Step(NODE, "end", seen="update"), Step(AGENT, "end", seen="answer"),
        Step(AGENT, "home", "fdatasync")] + [
    Step(end, "move", "sendto", number) for number in (2, 6) for end in (NODE, AGENT)] + [
    Step(end, trigger, delay=delay) for trigger, delay in (("refresh", 0.01), ("first", 0.5), ("end", 0.02), ("home", 0.1))
    for end in (NODE, AGENT)]


class Killing:
    def __init__(self, lab):
        self.lab = lab
        self.recorder = ordering.Recorder(["ar1", "ar2", "home"])
        self.deadly = {end: Preloaded(f"kill-at.{end}") for end in (NODE, AGENT)}
        lab.environment |= {end: one.env for end, one in self.deadly.items()}
        self.known = {}
        self.on_first_link = self.key_mobility = True
        self.bad = {what: [] for what in ("missed", "not registered", "not at home", "first not accepted", "next not accepted",
                                          "old update accepted", "not one connection")}

    def trigger(self, step):
        if step.trigger in ("start", "first"):
            self.lab.node("mn")
        elif step.trigger == "end":
            self.lab.processes[NODE].send_signal(signal.SIGTERM)
        elif step.trigger == "refresh":
            ordering.node("refresh")
        elif step.trigger == "home":
            common.link("wh", "up")
        else:
            self.on_first_link = not self.on_first_link
            common.link("w1", "up" if self.on_first_link else "down")

    def happened(self, step):
        """How often what the step waits for was seen: on the wire, or in the log of the victim's charon."""
        if step.seen in ("update", "answer"):
            return sum(one.update == (step.seen == "update") for one in list(self.recorder.seen))
        return common.charon_said("mn" if step.victim == NODE else "ha", step.seen) if step.seen else 0

    def kill(self, step):
        """False if the registration went by without the step, or did not begin."""
        self.known.update(esp.keys("mn"))
        if step.trigger == "start":
            self.lab.stop(step.victim, signal.SIGKILL)
        elif step.trigger == "first":
            self.lab.stop(NODE)  # which de-registers it
            time.sleep(0.1)  # the recorder may be a little behind
        before = ordering.node()
        there = self.happened(step)

        def seen():
            self.known.update(esp.keys("mn"))  # some live for a second
            return self.happened(step) > there
        died = self.deadly[step.victim].kill_at(self.lab, step, lambda: self.trigger(step), seen)
        if not died:
            self.lab.checks.note(f"node before {before}, and after {ordering.node()}")
        self.known.update(esp.keys("mn"))  # under which it may have sent, and which it may replace
        begin = len(self.recorder.seen)
        if step.victim == AGENT:
            self.lab.agent(self.key_mobility)
        if step.victim == NODE or step.trigger == "end":
            self.lab.stop(NODE)
            self.lab.node("mn")
        if not wait_for(self.registered, ordering.PATIENCE):
            self.bad["not registered"].append((step, ordering.node()))
        elif step.victim == NODE:
            self.first_answer(step, begin)
        if step.trigger == "home":
            self.away_again(step)
        return died

    def away_again(self, step):
        held = ordering.agent()[1]
        if ordering.node().get("state") != "at home" or held.get("care_of"):
            self.bad["not at home"].append((step, ordering.node(), held))
        common.link("wh", "down")
        if not wait_for(lambda: (self.registered() or {}).get("state") == "registered", 15):
            self.bad["not registered"].append((step, ordering.node()))

    def registered(self):
        self.known.update(esp.keys("mn"))
        return ordering.registered()

    def first_answer(self, step, begin):
        self.known.update(esp.keys("mn"))

        def answers():
            return [m.status for m in ordering.opened(self.recorder.seen[begin:], self.known)[0] if m.status is not None]
        # Killed between the answer to its de-registration and its record of that, it has no binding any more (RFC 6275
        # section 10.3.2).
        right = (0, 133) if step.victim == NODE and step.trigger == "home" and step.seen == "answer" else (0,)
        if not wait_for(answers, 5) or answers()[0] not in right:
            self.bad["first not accepted"].append((step, answers()))

    def once(self, step):
        # What else goes on can swallow what begins a registration: it is begun once more, but every step is killed at.
        if not any(self.kill(step) for _ in range(3)):
            self.bad["missed"].append(step)
        if self.bad["not registered"]:
            return
        self.known.update(esp.keys("mn"))
        self.accepted_at_once(step)
        if not self.key_mobility:
            self.one_connection(step)
        self.replays(step)

    def refuse_key_mobility(self):
        """True when the home agent has told the node so, and what a kill before that has left behind is made anew."""
        self.key_mobility = False
        self.lab.stop(AGENT, signal.SIGKILL)
        self.lab.agent(self.key_mobility)
        told = ordering.ready(self.lab) and ordering.refresh() and ordering.node().get("key_mobility") is False
        return told and wait_for(self.is_one_connection, ordering.PATIENCE)

    def connections(self):
        """Where the node is registered, where both ends of its IKE_SAs are, and how many SAs the kernels have."""
        at = (self.registered() or {}).get("registered_at")
        return at, *self.lab.ike_endpoints()[:2], *(len(esp.keys(n)) for n in ("mn", "ha"))

    def is_one_connection(self):
        at, *rest = self.connections()
        return at and rest == [[at], [at], 2, 2]

    def one_connection(self, step):
        if not wait_for(self.is_one_connection, ordering.PATIENCE):
            self.bad["not one connection"].append((step, self.connections()))

    def accepted_at_once(self, step):
        begin = len(self.recorder.seen)
        ordering.refresh()

        def seen():
            self.known.update(esp.keys("mn"))  # those that the kill has interrupted may come only now
            return ordering.opened(self.recorder.seen[begin:], self.known)[0]
        wait_for(lambda: any(m.status is not None for m in seen()), 5)  # the recorder may be a little behind the node
        messages = seen()
        updates, answers = [m for m in messages if m.status is None], [m for m in messages if m.status is not None]
        if not updates or {m.status for m in answers} != {0}:
            self.bad["next not accepted"].append((step, messages))

    def refused(self):
        """Packets that the home agent's kernel refused as replays, or because their keys are gone: an unanswered node may
        have made new ones; and those that never arrived before, refused for their number."""
        errors = self.lab.xfrm_errors("ha")
        own = ordering.agent()[0].get("refused", {}).get("135", 0)
        return errors.get("XfrmInStateSeqError", 0) + errors.get("XfrmInNoStates", 0) + own

    def replays(self, step):
        """The last updates once more, all of them already answered; under former keys if those are gone."""
        counters, held = ordering.agent()
        before = self.refused()
        old = self.recorder.updates()
        if self.key_mobility:
            old = [one for one in old if one.spi == old[-1].spi]
        old = old[-4:]
        ordering.send_again(old)

        def counted():
            return self.refused() - before >= len(old)
        refused = wait_for(counted, 20)
        after, held_after = ordering.agent()
        same = all(held[k] == held_after[k] for k in ("care_of", "sequence")) and counters["accepted"] == after["accepted"]
        if not refused or not same:
            self.bad["old update accepted"].append((step, held, held_after, self.lab.xfrm_errors("ha")))


def prepare():
    Preloaded.make()


def scenario(lab, steps=tuple(STEPS), refused=tuple(REFUSED)):
    common.charons(lab, "ha", "mn")
    killing = Killing(lab)
    lab.agent()
    for index, step in enumerate((*steps, *refused)):
        if index == len(steps):
            lab.check("from now on the home agent refuses K, and the node knows", killing.refuse_key_mobility(),
                      ordering.node())
        killing.once(step)
        if index == 0 and not lab.check("killed at the first step of its life, the node registers", ordering.registers(),
                                        ordering.node()):
            return
        lab.checks.note(f"kill {index + 1}: {step}")
    bad, count = killing.bad, len(steps) + len(refused)
    lab.check(f"{count} kills, each at its step", count >= 25 and not bad["missed"], bad["missed"])
    lab.check("after each of them the node is registered", not bad["not registered"], bad["not registered"])
    lab.check("killed while it goes home, the node is at home, and no longer bound elsewhere", not bad["not at home"],
              bad["not at home"])
    lab.check("the first update of a new process is accepted", not bad["first not accepted"], bad["first not accepted"])
    lab.check("and the next update is accepted at once", not bad["next not accepted"], bad["next not accepted"])
    lab.check("and old updates are refused, and counted", not bad["old update accepted"], bad["old update accepted"])
    lab.check("with K refused there is one IKE_SA, one pair of SAs, at both ends, afterwards", not bad["not one connection"],
              bad["not one connection"])
    killing.known.update(esp.keys("mn"))
    ordering.check_numbers(lab, killing.recorder.seen, killing.known, f"over {count} kills")
