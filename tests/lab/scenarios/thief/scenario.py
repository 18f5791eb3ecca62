"""Node A, with keys and a certificate of its own, is after node B's home address: by home address option, under its own
security association, by alternate care-of address, by identity, selectors and certificate. Each is refused and counted
by name, and B stays where it is. A care-of address of a third party can't be refused: A is named, and banned. After all
of that secrets are looked for wherever a thief could find them (leaks.py)."""

import re
import time

import attack
import common
import kernel
import lab as the_lab
import leaks
import pki
import search
import spoof
from attack import agent_status, counted, more
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, RUN, ask, load, program, run, wait_for

trouble = load("trouble")

THIEF = NODES["mn2"]
THIEF_HOME = THIEF["home_address"]
NOBODYS = "2001:db8:1::77"
OTHER_PREFIX = "2001:db8:9::43"  # where A would be if the home link had another prefix
NOT_SERVED = "malformed/update of a home address that is not served"
NOT_ROUTABLE = "dropped_because/the care-of address is not unicast routable"


def prepare():
    pki.root("root", pki.ECDSA)
    pki.issue_bundle("ha", HOME_AGENT)
    pki.issue_bundle("laptop", HOME_ADDRESS)
    pki.issue_bundle("desk", THIEF_HOME)
    pki.issue_bundle("nameless")
    leaks.prepare()


def scenario(lab):
    the_lab.PLUGINS += pki.PLUGINS
    lab.agent_extra = f"certificate = {pki.bundle('ha')}"
    by_secret = dict(THIEF)
    NODES["mn"].update(identity=HOME_ADDRESS, certificate=pki.bundle("laptop"))
    THIEF.update(identity=THIEF_HOME, certificate=pki.bundle("desk"))
    leaks.begin(lab)
    common.charons(lab, "ha", "mn", "mn2")
    lab.agent()
    lab.node("mn")
    lab.node("mn2")
    lab.victim_at = lab.wait_registered("mn", timeout=40)
    lab.thief_at = lab.wait_registered("mn2", timeout=40)
    if not lab.check("both nodes register", lab.victim_at and lab.thief_at, f"{lab.status('mn')} {lab.status('mn2')}"):
        return
    used = search.of_esp("mn", "mn2", "ha")
    captured(lab)
    by_home_address(lab)
    by_care_of_address(lab)
    third_party(lab)
    by_keys(lab)
    served_again(lab, by_secret)
    leaks.check(lab, ("laptop", "ha"), used)


def tried(lab, what, counter, attempt, count=3):
    attack.refused(lab, what, "ha", counter, attempt, count, wait=0.1)


def unharmed(lab, after):
    lab.check(f"after {after} B is registered where it was and answers", lab.registered_at("mn") == lab.victim_at and
              lab.ping("cn", HOME_ADDRESS, 3) == 3, lab.status("mn"))


# --- what A has sent, once more ---
def captured(lab):
    """Real updates of A, as they passed its link. ESP in transport mode does not cover the home address option."""
    def answered():
        return lab.status("mn2")["counters"]["acknowledged"]

    def update_of_thief(frame):
        return (frame[20], frame[22:38], frame[54]) == (spoof.DSTOPTS, spoof.packed(lab.thief_at), attack.ESP)

    def refreshed():
        before = answered()
        lab.status("mn2", "refresh")
        frame = next((f[14:] for _, f in tap.frames(5, update_of_thief)), b"")
        return frame, lambda: wait_for(lambda: answered() > before, 10)
    tap, clear = attack.Tap("ar1", "acc2"), attack.Sender("mn2", "w1")
    hole = ("blackhole", f"{HOME_AGENT}/128")
    run("ip", "-n", "ar1", "-6", "route", "add", *hole)
    kept, _ = refreshed()
    run("ip", "-n", "ar1", "-6", "route", "del", *hole)
    arrived, done = refreshed()
    own, victims = spoof.packed(THIEF_HOME), spoof.packed(HOME_ADDRESS)
    if not lab.check("two updates of A are captured, one of which never arrived", done() and kept.count(own) == 1 ==
                     arrived.count(own), (kept, arrived, lab.status("mn2"))):
        return
    spoils = kept.replace(own, victims)
    tried(lab, "a captured update of A that never arrived, with B's home address option in place of A's,",
          "kernel/XfrmInStateMismatch", lambda: clear.send(spoils, HOME_AGENT), 1)
    replayed = "kernel/XfrmInStateSeqError"
    tried(lab, "a captured update of A, bit for bit,", replayed, lambda: clear.send(arrived, HOME_AGENT, 3))
    tried(lab, "the same with B's home address option in place of A's", replayed,
          lambda: clear.send(arrived.replace(own, victims), HOME_AGENT, 3))
    unharmed(lab, "A's captured updates")


# --- B's home address, and others that are not A's ---
def by_home_address(lab):
    clear = attack.Sender("mn2", "w1")
    number = (lab.status("mn")["sequence"] + 1) & 0xFFFF
    update = spoof.update(HOME_ADDRESS, HOME_AGENT, number, lab.thief_at)
    mismatch = "kernel/XfrmInTmplMismatch"
    tried(lab, "B's home address in a home address option in the clear", mismatch, lambda: clear.send(
        attack.under_option(lab.thief_at, HOME_AGENT, HOME_ADDRESS, spoof.MOBILITY, update), HOME_AGENT, 3))
    tried(lab, "B's home address as source in the clear", mismatch, lambda: clear.send(
        spoof.ipv6(HOME_ADDRESS, HOME_AGENT, spoof.MOBILITY, update), HOME_AGENT, 3))

    state = attack.states("mn2")[(THIEF_HOME, HOME_AGENT)][0]
    own = spoof.update(THIEF_HOME, HOME_AGENT, (lab.status("mn2")["sequence"] + 1) & 0xFFFF, lab.thief_at)
    numbers = iter(range(state[3] + 1, state[3] + 100))

    def sealed(home_address, message):
        clear.send(attack.under_option(lab.thief_at, HOME_AGENT, home_address, attack.ESP,
                                       attack.seal(state, next(numbers), spoof.MOBILITY, message)), HOME_AGENT)
    before = counted(agent_status())
    sealed(THIEF_HOME, own)
    grown = wait_for(lambda: more(before, counted(agent_status())).get("accepted"), 2)
    lab.check("an update that the lab sealed for A itself is accepted: what follows is well made", grown,
              more(before, counted(agent_status())))
    tried(lab, "B's home address under A's security association", "kernel/XfrmInStateMismatch",
          lambda: [sealed(HOME_ADDRESS, update) for _ in range(3)])
    for address, what in ((NOBODYS, "a home address that nobody has"),
                          (OTHER_PREFIX, "A's address under another prefix, without security association")):
        message = spoof.update(address, HOME_AGENT, 1, lab.thief_at)

        def in_the_clear(message=message, address=address):
            clear.send(attack.under_option(lab.thief_at, HOME_AGENT, address, spoof.MOBILITY, message), HOME_AGENT, 2)
            clear.send(spoof.ipv6(address, HOME_AGENT, spoof.MOBILITY, message), HOME_AGENT, 2)
        tried(lab, f"{what}, in the clear,", NOT_SERVED, in_the_clear, 4)
        tried(lab, f"{what}, under A's security association,", "kernel/XfrmInStateMismatch",
              lambda m=message, a=address: sealed(a, m), 1)
    lab.used_up = next(numbers) - state[3]
    unharmed(lab, "attempts at its home address")


# --- care-of addresses under A's own security association ---
def by_care_of_address(lab):
    thief = attack.Speaker("mn2", THIEF_HOME, HOME_AGENT)
    for _ in range(lab.used_up):  # numbers of ESP that the lab has used in the kernel's place
        thief.update(0, "ff02::1")
    lab.number = attack.entry(THIEF["name"])["sequence"]

    def claim(care_of):
        for _ in range(3):
            lab.number += 1
            thief.update(lab.number, care_of)
            time.sleep(0.02)
    invalid = "refused_as/invalid care-of address"
    tried(lab, "B's home address as A's alternate care-of address", invalid, lambda: claim(HOME_ADDRESS))
    tried(lab, "the home agent's address as care-of address", invalid, lambda: claim(HOME_AGENT))
    answers = [body[0] for body in thief.heard(spoof.ACKNOWLEDGEMENT, 0.5)]
    lab.check("A is told status 174 each time", answers.count(174) == 6, answers)
    for care_of, what in (("ff02::1", "a multicast"), ("fe80::1", "a link-local"), ("::1", "the loopback"),
                          ("::", "the unspecified")):
        tried(lab, f"{what} address as care-of address", NOT_ROUTABLE, lambda c=care_of: claim(c))
    line = attack.entry(THIEF["name"])
    lab.check("A's own binding is what it was, and its line counts 18 refusals or more",
              line["care_of"] == lab.thief_at and line["refused"] >= 18, line)
    before = line["sequence"]
    tried(lab, "A's number once more, under its security association", "refused_as/sequence number out of window",
          lambda: [thief.update(before, lab.thief_at) for _ in range(3)])
    lab.thief = thief
    unharmed(lab, "false care-of addresses")


# --- what can't be prevented (RFC 6275 section 15.3) ---
def third_party(lab):
    """A sends its traffic to somebody else. The home agent can't know; it knows who it was."""
    def sent_there():
        """How much of what goes to A's home address arrives at the third party."""
        run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "0.3", THIEF_HOME, check=False, namespace="hh")
        return len([f for f in tap.passed(0.2) if f[20] == spoof.IPV6 and f[38:54] == spoof.packed(CORRESPONDENT)])
    tap, control = attack.Tap("cn", "wan"), RUN / "ha.control"
    lab.number += 1
    lab.thief.update(lab.number, CORRESPONDENT)
    told = wait_for(lambda: attack.entry(THIEF["name"]).get("care_of") == CORRESPONDENT, 3)
    hit = wait_for(sent_there, 10)
    listed = run(program("mip6-ha"), "--socket", str(control), "list").splitlines()
    line = next((line for line in listed if THIEF["name"] in line.split()), "")
    log = (RUN / "ha.log").read_text(encoding="utf-8")
    lab.check("a third party's address is bound, and mip6-ha's list and log name A for it", told and hit and
              {THIEF_HOME, CORRESPONDENT} <= set(line.split()) and
              f"node={THIEF['name']} home-address={THIEF_HOME} registered at {CORRESPONDENT}" in log, f"{listed} {hit}")
    said = ask(control, "ban", node=THIEF["name"], why="sends its traffic to others")
    for _ in range(5):
        lab.number += 1
        try:
            lab.thief.update(lab.number, CORRESPONDENT)
        except OSError:
            pass
        time.sleep(0.05)
    list(tap.passed(0.1))
    hit, entry = sent_there(), attack.entry(THIEF["name"])
    lab.check("banned, A is served no longer: nothing more is sent to the third party", hit == 0 and entry.get("banned") and
              not entry.get("care_of") and not [r for r in kernel.routes("ha") if r.destination == THIEF_HOME and r.tunnel],
              f"{said} {hit} {entry}")
    lab.stop("mnd.mn2")
    ask(control, "unban", node=THIEF["name"])
    unharmed(lab, "A's ban")


# --- B's keys ---
def by_keys(lab):
    """Identity, certificate and selectors: charon of the home agent decides, mip6-ha counts and names, the thief is told."""
    not_its_own = "asked for a home address that is not its own"
    not_proved = r"wrong certificate or identity.*\(charon: received AUTHENTICATION_FAILED"
    for what, wrong, reason, at_thief, at_agent in (
            ("A's identity and certificate with selectors of B", {"home_address": HOME_ADDRESS},
             "no security association made", rf"does not have home address {HOME_ADDRESS} for {THIEF_HOME} "
             r"\(charon: received TS_UNACCEPTABLE", f"{THIEF_HOME} from .*{not_its_own}"),
            ("B's identity with A's certificate, which lacks B's SubjectAltName",
             {"home_address": HOME_ADDRESS, "identity": HOME_ADDRESS}, "authentication failed", not_proved,
             f"authentication of {HOME_ADDRESS} from .* failed"),
            ("A's identity with a home address that nobody has", {"home_address": NOBODYS},
             "no security association made", rf"does not have home address {NOBODYS} for {THIEF_HOME} "
             r"\(charon: received TS_UNACCEPTABLE", f"{THIEF_HOME} from .*{not_its_own}"),
            ("A's identity with a valid certificate without any SubjectAltName", {"certificate": pki.bundle("nameless")},
             "authentication failed", not_proved, f"authentication of {THIEF_HOME} from .* failed")):
        def begin(w=wrong):
            lab.node("mn2", wrong=w)
            wait_for(lambda: lab.trouble("mn2")[1], 6, 0.1)
        tried(lab, what, f"keys_refused/{reason}", begin, 1)
        trouble.named(lab, at_thief, what, namespace="mn2")
        lab.check(f"with {what} the thief sends no update", lab.status("mn2").get("sequence") is None, lab.status("mn2"))
        told = wait_for(lambda: (one := agent_status().get("trouble") or {}) and re.search(at_agent, one["what"]) and
                        one["remedy"], 5, 0.2)
        lab.check(f"{what}: the home agent names who tried, with a remedy", told, agent_status().get("trouble"))
        lab.stop("mnd.mn2")
    unharmed(lab, "attempts at its keys")


def served_again(lab, by_secret):
    """A has had its lesson, and a secret in place of its certificate."""
    THIEF.clear()
    THIEF.update(by_secret)
    lab.agent_config()
    said = ask(RUN / "ha.control", "reload")
    lab.node("mn2")
    lab.check("A, no longer banned and under its own name, is served", lab.wait_registered("mn2", timeout=40),
              f"{said} {lab.status('mn2')}")
