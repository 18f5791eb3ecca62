"""A home agent that lies, under the real security associations: refresh floods, absurd lifetimes, wrong last numbers, K
this way and that, storms of refusals. The node sends three updates a second at most, names what is wrong, keeps what
still lives, and is registered again when the right home agent is back. Part of scenario `hostile`."""

import math
import re
import signal
import threading
import time

import attack
import common
import spoof
import vici
from lab import HOME_ADDRESS, HOME_AGENT, run, wait_for

MAX_UPDATE_RATE = 3  # RFC 6275 section 12, a second


class Liar(threading.Thread):
    """Answers the node's updates in the home agent's place; `answer(liar, number, flags, lifetime)` says how."""

    def __init__(self):
        super().__init__(daemon=True)
        self.voice = attack.Speaker("ha", HOME_AGENT, HOME_ADDRESS)
        self.answer = lambda *_: None
        self.heard = []
        self.running = True
        self.start()

    def run(self):
        while self.running:
            for body in self.voice.heard(spoof.UPDATE, 0.5):
                number, flags, lifetime = (int.from_bytes(body[i:i + 2], "big") for i in (0, 2, 4))
                self.heard.append((time.monotonic(), number))
                self.answer(self, number, flags, lifetime)

    def accept(self, number, _, lifetime):
        self.voice.acknowledgement(number, 0, lifetime)


def check(lab):
    """The node is registered at lab.at."""
    lab.sas = len(vici.ike_sas(lab.vici_socket("mn")))
    lab.processes["ha"].send_signal(signal.SIGSTOP)
    take_over_policies()
    liar = Liar()
    refresh_flood(lab, liar)
    storm(lab, liar)
    lifetimes(lab, liar)
    key_mobility(lab, liar)
    refusals(lab, liar)
    last_numbers(lab, liar)
    one_more_refusal(lab, liar)
    liar.running = False
    liar.join()
    lab.processes["ha"].send_signal(signal.SIGCONT)
    back = wait_for(lambda: lab.registered_at("mn") == lab.care_of("mn", "w1") and not lab.trouble("mn")[0], 40, 0.1)
    lab.check("when the right home agent is back the node registers by itself", back, lab.status("mn"))
    lab.check("and answers", lab.ping("cn", HOME_ADDRESS, 3) == 3)
    lab.check("node and home agent are still the processes they were", lab.alive("mnd.mn") and lab.alive("ha"))


def take_over_policies():
    """The liar's messages go under whatever security association there is, as the stopped mip6-ha can choose none; and
    refresh requests, too: mip6-ha never sends any, and in the clear no node takes them."""
    policies = run("ip", "xfrm", "policy", namespace="ha")
    mobility = rf"src {HOME_AGENT}/128 dst {HOME_ADDRESS}/128 proto (?!ipv6-icmp|58 )[^\n]*\n"
    reqid = re.search(mobility + r"\tdir out priority 1.*?reqid (\d+)", policies, re.DOTALL).group(1)
    ends = ["src", HOME_AGENT, "dst", HOME_ADDRESS]
    for action, kind in (("update", spoof.ACKNOWLEDGEMENT), ("add", attack.REFRESH_REQUEST)):
        run("ip", "-n", "ha", "xfrm", "policy", action, *ends, "proto", "135", "type", str(kind), "dir", "out", "priority",
            "1", "tmpl", *ends, "proto", "esp", "reqid", reqid, "mode", "transport")
    run("ip", "-n", "ha", "xfrm", "policy", "add", *ends, "proto", "135", "type", str(attack.REFRESH_REQUEST), "dir", "out",
        "ptype", "sub", "priority", "2", "tmpl", *ends, "proto", "route2", "mode", "ro")


def sane(lab, liar, what, begin, count=len):
    """Updates since `begin`: never more than MAX_UPDATE_RATE in any second, and the process lives."""
    times = [at for at, _ in liar.heard if at >= begin]
    worst = max((sum(1 for other in times if at <= other < at + 0.98) for at in times), default=0)
    lab.check(f"{what}: at most {MAX_UPDATE_RATE} updates a second", worst <= MAX_UPDATE_RATE and lab.alive("mnd.mn"),
              f"{worst} of {count(times)}")
    return len(times)


def refresh(lab):
    lab.status("mn", "refresh")


def accepted_again(lab, liar, what):
    liar.answer = Liar.accept
    refresh(lab)
    lab.check(what, wait_for(lambda: lab.registered_at("mn") == lab.at and not lab.trouble("mn")[0], 20, 0.05),
              lab.status("mn"))


def refresh_flood(lab, liar):
    liar.answer = Liar.accept
    begin = time.monotonic()
    while time.monotonic() < begin + 2:
        liar.voice.refresh_request()
        time.sleep(0.01)
    time.sleep(0.7)
    sent = sane(lab, liar, "a refresh request each 10 ms for two seconds", begin)
    lab.check("refresh requests are heeded, and the node stays registered", 3 <= sent <= 9 and
              lab.wait_registered("mn", lab.at, 3), f"{sent} {lab.status('mn')}")


def storm(lab, liar):
    """Acknowledgements that answer nothing."""
    begin, before = time.monotonic(), attack.counted(lab.status("mn"))
    for index in range(500):
        liar.voice.acknowledgement(index * 131, (0, 1, 128, 129, 133, 135, 174, 255)[index % 8], index % 3 * 0x7FFF)
        if index % 10 == 0:
            time.sleep(0.01)
    wait_for(lambda: attack.more(before, attack.counted(lab.status("mn"))).get("ignored", 0) >= 400, 5, 0.2)
    grown = attack.more(before, attack.counted(lab.status("mn")))
    sane(lab, liar, "500 acknowledgements that answer nothing", begin)
    lab.check("they are counted as ignored and change nothing", grown.get("ignored", 0) >= 400 and
              not {"acknowledged", "refused", "updates_sent"} & grown.keys() and lab.registered_at("mn") == lab.at,
              grown)


def lifetimes(lab, liar):
    liar.answer = lambda self, number, flags, lifetime: self.voice.acknowledgement(number, 0, 0xFFFF)
    refresh(lab)
    time.sleep(0.5)
    said = lab.status("mn")
    lab.check("a lifetime of 3 days for 7 minutes asked is taken for 7 minutes", lab.registered_at("mn") == lab.at and
              400 < said["expires_in_s"] <= said["lifetime_s"] == 420, said)
    liar.answer = lambda self, number, flags, lifetime: self.voice.acknowledgement(number, 0, 0)
    begin = time.monotonic()
    refresh(lab)
    time.sleep(1.5)
    sane(lab, liar, "a lifetime of zero", begin)
    lab.check("a lifetime of zero is named, with a remedy", "lifetime of zero" in lab.trouble("mn")[0] and
              lab.trouble("mn")[1], lab.trouble("mn"))
    liar.answer = Liar.accept
    refresh(lab)
    lab.check("an acceptance ends that", lab.wait_registered("mn", lab.at, 10), lab.status("mn"))


def key_mobility(lab, liar):
    """K as it likes, without a move and with one; the home agent's kernel is told where the answers go."""
    begin = time.monotonic()
    for k in (False, True, False, True):
        liar.answer = lambda self, number, flags, lifetime, k=k: self.voice.acknowledgement(number, 0, lifetime, k)
        refresh(lab)
        time.sleep(0.4)
    own = [sa for sa in vici.ike_sas(lab.vici_socket("mn"))]
    lab.check("K this way and that without a move makes no connection", len(own) == lab.sas and
              lab.registered_at("mn") == lab.at, own)

    def answers_go_to(care_of):
        run("ip", "-n", "ha", "xfrm", "state", "update", "src", HOME_AGENT, "dst", HOME_ADDRESS, "proto", "route2",
            "mode", "ro", "coa", care_of)
    # w1 down: K clear is a lie (the home agent could migrate). IKE is made anew; charon there is honest.
    liar.answer = lambda self, number, flags, lifetime: self.voice.acknowledgement(number, 0, lifetime, False)
    answers_go_to(lab.care_of("mn", "w2"))
    at = common.move_to(lab, "w1", "down", "w2")
    lab.check("K refused after a move: the node is registered there", at, lab.status("mn"))

    def endpoints():
        return [sa["local-host"] for sa in vici.ike_sas(lab.vici_socket("mn"))]
    lab.check("and its keys are made anew from there, one connection in the end",
              wait_for(lambda: endpoints() == [at], 10, 0.3), endpoints())
    # w1 up again: K set is a lie, the home agent's end stays where it is.
    liar.answer = Liar.accept
    answers_go_to(lab.at)
    back = common.move_to(lab, "w1", "up", "w1")
    lab.check("K set though the home agent moved nothing: the node is registered all the same", back, lab.status("mn"))
    lab.at = back
    sane(lab, liar, "K lies", begin)


def refusals(lab, liar):
    statuses = iter([128, 129, 130, 174, 128] + [129] * 1000)
    liar.answer = lambda self, number, flags, lifetime: self.voice.acknowledgement(number, next(statuses), 0)
    begin = time.monotonic()
    refresh(lab)
    time.sleep(5)
    wait_for(lambda: sum(at >= begin for at, _ in liar.heard) >= 2, 15)
    passed = time.monotonic() - begin
    sent = sane(lab, liar, "a refusal for each update", begin)
    lab.check("a refusal is answered by a growing pause: 1, 2, 4 seconds, and so on",
              2 <= sent <= 2 + math.log2(passed + 1), (sent, passed))
    lab.check("it is named with status and remedy", re.search(r"refused.*status 1\d\d", lab.trouble("mn")[0]) and
              lab.trouble("mn")[1], lab.trouble("mn"))
    lab.check("the binding that lives is kept meanwhile", lab.status("mn").get("registered_at") == lab.at and
              lab.status("mn").get("expires_in_s"), lab.status("mn"))
    accepted_again(lab, liar, "an acceptance ends the refusals")


def last_numbers(lab, liar):
    """Status 135, each time with another number."""
    lies = iter(range(1, 10**6))
    liar.answer = lambda self, number, flags, lifetime: self.voice.acknowledgement(
        number + 0x4000 + 0x1111 * next(lies), 135, 0)
    begin = time.monotonic()
    refresh(lab)
    time.sleep(4)
    sent = sane(lab, liar, "a false last number for each update", begin)
    numbers = [number for at, number in liar.heard if at >= begin]
    lab.check("numbers are not repeated for it, and not many are sent", len(set(numbers)) == len(numbers) and
              2 <= sent <= 12, numbers)
    lab.check("the lie is named, with a remedy", re.search("sequence number", lab.trouble("mn")[0]) and
              lab.trouble("mn")[1], lab.trouble("mn"))
    ike = vici.ike_sas(lab.vici_socket("mn"))
    lab.check("keys renewed for it do not pile up", 1 <= len(ike) <= 2, [sa["state"] for sa in ike])
    accepted_again(lab, liar, "an acceptance ends that, too")


def one_more_refusal(lab, liar):
    """How long the node waits after it, for the right home agent, is told by what came before."""
    liar.answer = lambda self, number, flags, lifetime: self.voice.acknowledgement(number, 129, 0)
    refresh(lab)
    lab.check("the next refusal is named again", wait_for(lambda: "status 129" in lab.trouble("mn")[0], 10, 0.05),
              lab.trouble("mn"))
