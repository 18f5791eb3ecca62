"""Bad input in masses, from outside, from a node of its own, at the control socket and at the metrics' port. While it goes on,
a node that is served moves and has its updates answered; no program grows; each refusal is counted by name, and what was
sent is what was counted."""

import os
import re
import select
import socket
import statistics
import struct
import time
from pathlib import Path

import attack
import common
import deluge
import spoof
from attack import counted, more
from deluge import FORGED
from lab import HERE, HOME_AGENT, NODES, ROOT, RUN, ask, wait_for

SERVED, ATTACKER = "mn", "mn2"
PORT = 9640
LIMITS = ROOT / "packaging/strongswan/mip6-ha.conf"
SETTINGS = {name: int(value) for name, value in re.findall(r"^ *(\w+) = (\d+)", LIMITS.read_text(encoding="utf-8"), re.M)}
CLIENTS = 64  # that the control socket serves
METRICS_CLIENTS = 16
GROWTH = 4096  # KiB that a daemon may grow
MISMATCH, REFUSED = "kernel/XfrmInTmplMismatch", "kernel/XfrmInPolBlock"
TOO_SHORT, NO_PIECE, NO_ROOM = ("ip_refused/Icmp6OutParmProblems", "ip_refused/Ip6ReasmFails",
                                "ip_refused/Udp6RcvbufErrors")
FRAGMENT, HOME_TEST_INIT = 44, 1
PERMITTED = 3  # updates of a node in a second


def prepare():
    deluge.build()


def scenario(lab, forged=100_000, half_open=1_500):
    lab.charon_extra["ha"] = "\n".join(f"{name} = {value}" for name, value in SETTINGS.items())
    first = attack.Tap("ha", "wan")
    common.charons(lab, "ha", "mn", "mn2")
    lab.agent(extra=f"metrics = [::1]:{PORT}")
    lab.node("mn")
    lab.node("mn2")
    if not lab.check("two nodes register", lab.wait_registered("mn", timeout=20) and lab.wait_registered("mn2", timeout=20),
                     (lab.status("mn"), lab.status("mn2"))):
        return
    template = next(first.frames(5, is_ike_sa_init))[1]
    first.socket.close()
    BadInput(lab).all(forged, half_open, template)


def middle(times):
    return statistics.median([one for one in times if one] or [0])


def is_ike_sa_init(frame):
    return frame[20] == 17 and frame[56:58] == struct.pack("!H", 500) and frame[62 + 18] == deluge.IKE_SA_INIT and \
        frame[38:54] == spoof.packed(HOME_AGENT)


def seen():
    return counted(attack.agent_status())


class BadInput:
    def __init__(self, lab):
        self.lab = lab
        self.begin = seen()
        self.times = {}  # what went on: what service() has found meanwhile
        self.usual = self.times["nothing else"] = self.service(6)
        self.rss = {name: lab.usage(name)["rss_kib"] for name in ("ha", "charon.ha")}

    def all(self, forged, half_open, template):
        self.forged_before_esp(forged)
        self.garbage_in_the_clear(forged // 50)
        self.garbage_under_esp()
        self.half_open(half_open, template)
        self.control_socket()
        self.metrics_port()
        self.fragments(forged // 50)
        self.never_finished()
        self.show()

    def show(self):
        """A table of the times; nothing of them is judged, since another machine's work is in all of these."""
        figure = self.lab.checks.figure
        figure(f"{'beside':<60}{'an update, ms':>15}{'a move, ms':>12}{'held back by the node':>23}")
        for what, now in self.times.items():
            figure(f"{what:<60}{middle(now['updates']):>15.0f}{now['move'] or 0:>12.0f}{now['held']:>23}")

    # --- the node that is served ---
    def service(self, updates=3):
        """{what: milliseconds}, None where nothing came, of updates asked for and of a move, after which it goes back; held:
        how many the node's own limit has held back."""
        def timed(begin, condition):
            start = time.monotonic()
            begin()
            return (time.monotonic() - start) * 1000 if wait_for(condition, 10, 0.005) else None

        found, held = [], self.lab.status(SERVED)["counters"]["rate_limited"]
        for number in range(updates):
            if number % PERMITTED == 0:
                self.permitted()
            before = self.lab.status(SERVED)["counters"]["acknowledged"]
            found.append(timed(lambda: ask(RUN / f"{SERVED}.control", "refresh"),
                               lambda b=before: self.lab.status(SERVED)["counters"]["acknowledged"] > b))
        self.permitted()
        other = self.lab.care_of(SERVED, "w2")
        move = timed(lambda: common.link("w1", "down"), lambda: self.lab.registered_at(SERVED) == other)
        held = self.lab.status(SERVED)["counters"]["rate_limited"] - held
        common.link("w1", "up")
        back = self.lab.wait_registered(SERVED, wait_for(lambda: self.lab.care_of(SERVED, "w1"), 10) or "nowhere", 10)
        return {"updates": found, "move": move, "back": back, "held": held}

    def permitted(self):
        """Waits until the node has sent nothing for a second: its own limit (RFC 6275 section 11.8) is open then, and what it
        waits for from there on is the home agent."""
        sent, since = None, 0

        def quiet():
            nonlocal sent, since
            now = self.lab.status(SERVED)["counters"]["updates_sent"]
            if now != sent:
                sent, since = now, time.monotonic()
            return time.monotonic() - since > 1
        wait_for(quiet, 10, 0.05)

    def served(self, what, now):
        self.lab.check(f"{what}: the updates and moves of a node that is served are answered",
                       None not in now["updates"] and now["move"] and now["back"], now)
        self.times[what] = now
        self.lab.checks.note(f"{what}: {middle(now['updates']):.0f} ms for an update, {middle(self.usual['updates']):.0f} ms "
                             f"otherwise; {now['move'] or 0:.0f} ms for a move, {self.usual['move'] or 0:.0f} ms otherwise")

    def bounded(self, what, name="ha", most=GROWTH):
        grown = self.lab.usage(name)["rss_kib"] - self.rss[name]
        self.lab.check(f"{what}: {name} has grown by less than {most} KiB", grown < most, grown)
        self.lab.checks.note(f"{what}: {name} has grown by {grown} KiB")

    def sprayed(self, what, packet, count, parts, named):
        """A flood, beside which the served node moves. named: how many of it the counters that have grown tell of. Those are
        all of it, but for those that the link lost, among which others may be; the node's updates that found no room in the
        home agent's socket may be with those. Gives what has grown."""
        before, lost, own = seen(), deluge.link_drops(), self.lab.status(SERVED)["counters"]["updates_sent"]
        flood = deluge.Spray(packet, count, parts)
        now = self.service()
        during = flood.running()
        sent, seconds = flood.end()
        self.lab.check(f"{what}: it went on all the time", during)
        self.served(what, now)

        def grown():
            return more(before, seen())
        wait_for(lambda: named(grown()) + deluge.link_drops() - lost >= sent, 5, 0.1)
        total, lost, grown = named(grown()), deluge.link_drops() - lost, grown()
        own = self.lab.status(SERVED)["counters"]["updates_sent"] - own
        self.lab.check(f"{what}: each is counted by name, and once", sent >= count and sent - lost <= total <= sent + own,
                       (sent, total, lost, own, grown))
        self.lab.checks.note(f"{what}: {sent} in {seconds:.1f} s, {lost} lost by the link, {grown}")
        self.bounded(what)
        return grown

    # --- what comes without a security association ---
    def forged_before_esp(self, count):
        """Updates for the node that is served, each from another source address."""
        home = NODES[SERVED]["home_address"]
        packet = attack.under_option(FORGED, HOME_AGENT, home, spoof.MOBILITY, spoof.update(home, HOME_AGENT, 7, FORGED))
        what = f"{count} updates from forged sources"
        grown = self.sprayed(what, packet, count, [(8 + 8, 8)], lambda grown: grown.get(MISMATCH, 0))
        # The socket's own count, which the kernel keeps for what it refuses there and for what has no room.
        self.lab.check(f"{what}: all of them are refused before they have a place in the socket",
                       grown.get("socket_dropped") == grown.get(MISMATCH), grown)
        bound = attack.entry(NODES[SERVED]["name"])["care_of"]
        self.lab.check(f"{what}: none has moved the node", bound == self.lab.care_of(SERVED, "w1"), bound)

    def garbage_in_the_clear(self, count):
        """From addresses that are no node's: no policy stops them before the home agent asks for one."""
        def message(kind, body):
            return spoof.ipv6(FORGED, HOME_AGENT, spoof.MOBILITY, spoof.mobility(FORGED, HOME_AGENT, kind, body))

        def no_room(grown):
            return grown.get("socket_dropped", 0) - grown.get(MISMATCH, 0)

        def malformed(grown):
            return sum(value for name, value in grown.items() if name.startswith("malformed/"))
        noise = message(spoof.UPDATE, struct.pack("!HHH", 1, 0xD000, 100) + bytes(1004))
        grown = self.sprayed(f"{count} messages of garbage", noise, count, [(40 + 12, 1004)],
                             lambda grown: malformed(grown) + no_room(grown))
        read, refused = malformed(grown), grown.get(REFUSED, 0)
        self.lab.check("messages of garbage are malformed by name, until the kernel refuses them, which are most",
                       0 < read and read + no_room(grown) - refused < refused, grown)
        self.lab.checks.note(f"messages of garbage: {read} read, {no_room(grown) - refused} without room")
        stranger, before = attack.Sender("core"), seen()

        def read_again():
            stranger.send(message(HOME_TEST_INIT, bytes(10)), HOME_AGENT)
            return more(before, seen()).get("malformed/unknown type of message")
        self.lab.check("when there are few, messages of strangers are read again", wait_for(read_again, 10, 0.1), seen())
        wrong = bytearray(message(spoof.UPDATE, struct.pack("!HHH", 1, 0xD000, 100) + bytes(4)))
        wrong[40 + 4] ^= 0xFF
        before, body = seen(), struct.pack("!BBBBHH", spoof.NO_NEXT_HEADER, 0, spoof.UPDATE, 0, 0, 1)
        short = deluge.Spray(spoof.ipv6(FORGED, HOME_AGENT, spoof.MOBILITY, body), count, [(8 + 8, 8)])
        grown = self.sprayed(f"{count} messages with a wrong checksum", bytes(wrong), count, [], no_room)
        self.lab.check("messages with a wrong checksum come no further than the socket", malformed(grown) == 0, grown)
        sent, _ = short.end()
        # The kernel counts its answers alone, and answers at a limited rate.
        answered = more(before, seen()).get(TOO_SHORT, 0)
        self.lab.check(f"{count} messages too short for their type: the kernel refuses them, and counts that it said so",
                       0 < answered <= sent, (sent, answered))

    def fragments(self, count):
        """Messages that are larger than can be, in pieces; and first pieces alone, which then take all the room that this
        kernel has for pieces: nothing that the home agent needs comes in any."""
        sender, before, sent = attack.Sender("core"), seen(), 50
        head = spoof.mobility(FORGED, HOME_AGENT, spoof.UPDATE, struct.pack("!HHH", 1, 0xD000, 100) + bytes(2036))
        message = head + bytes(8 * 1024)
        value = spoof.checksum(FORGED, HOME_AGENT, spoof.MOBILITY, message[:4] + b"\0\0" + message[6:])
        message = message[:4] + struct.pack("!H", value) + message[6:]
        pieces = [message[at:at + 1024] for at in range(0, len(message), 1024)]
        for number in range(sent):
            for index, piece in enumerate(pieces):
                place = index * 1024 | (index < len(pieces) - 1)
                header = struct.pack("!BBHI", spoof.MOBILITY, 0, place, number)
                sender.send(spoof.ipv6(FORGED, HOME_AGENT, FRAGMENT, header + piece), HOME_AGENT, pause=0)
            time.sleep(0.005)
        too_long = "malformed/longer than any message"
        wait_for(lambda: more(before, seen()).get(too_long, 0) >= sent, 5, 0.1)
        grown = more(before, seen())
        self.lab.check(f"{sent} messages that are longer than any can be: each is counted by name", grown.get(too_long) == sent,
                       grown)
        held = deluge.fragments_held()
        header = struct.pack("!BBHI", spoof.MOBILITY, 0, 1, 0)
        packet = spoof.ipv6(FORGED, HOME_AGENT, FRAGMENT, header + message[:1024])
        self.sprayed(f"{count} first pieces of messages", packet, count, [(8 + 8, 8)],
                     lambda grown: grown.get(NO_PIECE, 0) + deluge.fragments_held() - held)

    # --- from a node with keys ---
    def garbage_under_esp(self, count=150):
        home = NODES[ATTACKER]["home_address"]
        speaker = attack.Speaker(ATTACKER, home, HOME_AGENT)
        stale = (self.lab.status(ATTACKER)["sequence"] - 1) & 0xFFFF
        at = self.lab.registered_at(ATTACKER)
        head = struct.pack("!HHH", stale, 0xD000, 100)
        huge = head + b"\1\2\0\0" + b"".join(b"\1\xfa" + bytes(250) for _ in range(8)) + b"\1\x0e" + bytes(14)
        # What comes too fast is dropped before its number is looked at.
        for form, names, body in (("malformed", "malformed/", head + b"\3\xc8\0\0"),
                                  ("as large as can be, and old", ("refused/135", "offences/too many updates"), huge)):
            before = seen()
            for _ in range(count):
                speaker.say(spoof.UPDATE, body)
            now = self.service(1)

            def grown(before=before, names=names):
                return sum(value for key, value in more(before, seen()).items() if key.startswith(names))
            wait_for(lambda c=grown: c() >= count, 10, 0.1)
            self.lab.check(f"{count} messages under ESP {form}: each is counted by name", grown() == count,
                           (grown(), more(before, seen())))
            self.served(f"messages under ESP {form}", now)
        self.lab.check("and the node that sent them is registered where it was", at and attack.entry(
            NODES[ATTACKER]["name"])["care_of"] == at, (at, attack.entry(NODES[ATTACKER]["name"])))
        self.bounded("messages under ESP")

    # --- IKE ---
    def half_open(self, count, template):
        """IKE_SA_INIT again and again, each from another address, with another SPI: far more than charon answers in this
        kernel, and then as many as it does."""
        udp = template[54:54 + struct.unpack_from("!H", template, 18)[0]]
        what = f"{count} half-open IKE_SAs from forged addresses"
        self.forgotten = self.half_opened(what, udp, count, 8, 2_000, lambda: self.served(what, self.service()))

        def start_again():
            self.lab.stop(f"mnd.{SERVED}")
            self.lab.node(SERVED)
            self.lab.check("a node that starts in a flood of IKE agrees keys and registers",
                           self.lab.wait_registered(SERVED, timeout=20), self.lab.status(SERVED))
        self.forgotten += self.half_opened("more of them, not so fast", udp, 10, 1, 40_000, start_again)
        self.forgotten += self.from_one_address(udp)
        self.bounded(what, "charon.ha", 4 * GROWTH)
        self.bounded(what)

    def half_opened(self, what, udp, count, batch, pause, beside):
        """Such a flood; how many keys were agreed."""
        cookies, agreed, arrived = deluge.ike_cookies(), deluge.ike_agreed(), deluge.ike_arrived()
        packet = spoof.ipv6(FORGED, HOME_AGENT, 17, with_checksum(udp, FORGED))
        before, lost = seen(), deluge.link_drops()
        flood = deluge.Spray(packet, count, [(8 + 8, 8), (40 + 8, 8)], batch=batch, pause=pause)
        beside()
        during = flood.running()
        sent, seconds = flood.end()
        self.lab.check(f"{what}: it went on all the time", during)

        def places():
            return cookies.count(), agreed.count(), more(before, seen()).get(NO_ROOM, 0), deluge.link_drops() - lost
        wait_for(lambda: sum(places()) >= sent, 20, 0.2)
        asked, keys, dropped, lost = places()
        # Keys are agreed for the first ones, for those that come before charon has noticed these, and again when they are
        # forgotten.
        most = 2 * SETTINGS["cookie_threshold"] * (1 + seconds // SETTINGS["half_open_timeout"])
        self.lab.check(f"{what}: charon agrees keys with few of them", keys <= most, (keys, most))
        self.lab.check(f"{what}: each of the others is asked for a cookie, or counted as one without room",
                       sent >= count and asked > 0 and sent - lost <= asked + keys + dropped <= arrived.count(),
                       (sent, arrived.total, asked, keys, dropped, lost))
        self.lab.checks.note(f"{what}: {sent} in {seconds:.1f} s, {keys} agreed, {asked} cookies, {dropped} without room, "
                             f"{lost} lost by the link")
        return keys

    def from_one_address(self, udp, count=20):
        """The same from an address that answers: with the cookies that it is asked for. How many are agreed."""
        what = f"{count} half-open IKE_SAs from one address, with cookies"
        name = "keys_refused/too many half-open from one address"
        before, agreed = seen(), 0
        client = attack.socket_in("cn", socket.AF_INET6, socket.SOCK_DGRAM)
        client.connect((HOME_AGENT, 500))

        def exchanged(message):
            refused = more(before, seen()).get(name, 0)
            client.send(message)
            wait_for(lambda: select.select([client], [], [], 0)[0] or more(before, seen()).get(name, 0) > refused, 5)
            return client.recv(4096) if select.select([client], [], [], 0)[0] else b""
        for _ in range(count):
            message = os.urandom(8) + udp[8 + 8:]
            answer = exchanged(message)
            if answer and answer[16] == deluge.NOTIFY:
                answer = exchanged(with_cookie(message, answer[28:]))
            agreed += bool(answer) and answer[16] == deluge.SA_PAYLOAD
            time.sleep(0.02)  # an IKE_SA is counted as half-open after its answer has left
        refused = more(before, seen()).get(name, 0)
        self.lab.check(f"{what}: the limit of one address counts, and each refusal by name", refused > 0 and
                       agreed >= SETTINGS["block_threshold"] and agreed + refused == count, (agreed, refused))
        self.lab.checks.note(f"{what}: {agreed} agreed, {refused} refused")
        return agreed

    def never_finished(self):
        name = "keys_refused/not finished in time"
        wait_for(lambda: more(self.begin, seen()).get(name, 0) >= self.forgotten, 2 * SETTINGS["half_open_timeout"], 0.2)
        grown = more(self.begin, seen()).get(name, 0)
        self.lab.check("half-open IKE_SAs are forgotten, each counted by name", grown == self.forgotten,
                       (grown, self.forgotten))

    # --- the control socket and the metrics' port ---
    def beside_greedy(self, what, place, clients, request):
        """The served node moves while others ask as fast as they are answered."""
        self.lab.start("greedy", "ha", "/usr/bin/python3", "-B", str(HERE / "guest/greedy.py"), str(place), str(clients),
                       request)
        begin = self.lab.usage("ha")["cpu_ms"]
        wait_for(lambda: self.lab.usage("ha")["cpu_ms"] > begin + 100, 10)  # it is at work
        now = self.service()
        self.lab.check(f"{what}: they went on all the time", self.lab.alive("greedy"))
        self.lab.stop("greedy")
        self.served(what, now)

    def control_socket(self):
        self.before_slow = seen()
        self.slow = [web_client(b"GET /met") for _ in range(METRICS_CLIENTS // 2)]  # they have their time to be too slow
        what, before = "hostile clients at the control socket", seen()
        forms = (b'{"command": "li', b"x" * 70_000, b'{"command": "list"}\n' * 3_000, b"[" * 60_000 + b"\n",
                 b"\xff\xfe\0\n" * 100)
        clients = [client() for _ in range(50)]
        for number, one in enumerate(clients):
            one.setblocking(False)
            with_all(one, forms[number % len(forms)])
        self.beside_greedy(what, RUN / "ha.control", 8, '{"command": "list"}')
        wanted = {"control_refused/the request is too long": 10, "control_refused/the request is nested too deeply": 10,
                  "control_refused/the request is no JSON object": 1000}

        def grown():
            return {name: count for name, count in more(before, seen()).items() if name.startswith("control_refused/")}
        wait_for(lambda: grown() == wanted, 10, 0.1)
        self.lab.check(f"{what}: each refusal is counted by name", grown() == wanted, grown())
        clients += [client() for _ in range(2 * CLIENTS)]
        self.lab.check(f"{what}: another one is answered", attack.agent_status().get("bindings"))
        newer = grown().get("control_refused/a newer client had no room", 0)
        self.lab.check(f"{what}: no more than {CLIENTS} are kept, the others counted", newer >= CLIENTS and
                       sum(is_closed(one) for one in clients) >= len(clients) - CLIENTS, (newer, grown()))
        held = len(list(Path(f"/proc/{self.lab.processes['ha'].pid}/fd").iterdir()))
        self.lab.check(f"{what}: the home agent has no more descriptors", held < CLIENTS + 40, held)
        for one in clients:
            one.close()
        self.bounded(what, most=2 * GROWTH)  # a line that is not finished costs up to 68 KiB a client

    def metrics_port(self):
        what, before = "hostile clients at the metrics' port", self.before_slow
        forms = {"it is not HTTP": b"\x16\x03\x01 hello\r\n\r\n",
                 "the header is too large": b"GET /metrics HTTP/1.1\r\nA: " + b"a" * 20_000,
                 "there is no such path": b"GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
                 "the method is not GET": b"DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
                 "a request has no body": b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n" + b"b" * 9}
        for form in forms.values():
            for _ in range(5):
                asked(form)
        self.beside_greedy(what, PORT, METRICS_CLIENTS // 2, r"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        wanted = {f"metrics_refused/{name}": 5 for name in forms} | {"metrics_refused/it is too slow": len(self.slow)}

        def grown():
            return {name: count for name, count in more(before, seen()).items() if name.startswith("metrics_refused/")}
        wait_for(lambda: grown() == wanted, 15, 0.2)
        self.lab.check(f"{what}: each refusal is counted by name", grown() == wanted, grown())
        self.slow += [web_client(b"GET /met") for _ in range(2 * METRICS_CLIENTS)]
        text = asked(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        self.lab.check(f"{what}: another one is answered, and told of all that", all(
            f'mip6_ha_requests_refused_total{{at="metrics",reason="{name}"}} 5\n' in text for name in forms) and
            re.search(r'at="metrics",reason="a newer client had no room"} [1-9]', text), text[:2000])
        self.bounded(what, most=2 * GROWTH)


# --- packets of IKE ---
def with_checksum(udp, source):
    text = udp[:6] + b"\0\0" + udp[8:]
    return text[:6] + struct.pack("!H", spoof.checksum(source, HOME_AGENT, 17, text)) + text[8:]


def with_cookie(message, notify):
    """The IKE message with this Notify payload, header and all, in front (RFC 7296 section 2.6)."""
    notify = notify[:struct.unpack_from("!H", notify, 2)[0]]
    first = message[16]
    body = bytes([first]) + notify[1:] + message[28:]
    return message[:16] + bytes([deluge.NOTIFY]) + message[17:24] + struct.pack("!I", 28 + len(body)) + body


# --- clients ---
def client():
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.settimeout(5)
    connected = wait_for(lambda: one.connect_ex(str(RUN / "ha.control")) == 0, 5)  # EAGAIN: many wait to be accepted
    assert connected, "the control socket takes nobody more"
    return one


def web_client(data):
    one = attack.socket_in("ha", socket.AF_INET6, socket.SOCK_STREAM)
    one.settimeout(20)
    one.connect(("::1", PORT))
    try:
        one.sendall(data)
    except ConnectionError:
        pass  # it has seen enough
    return one


def asked(request):
    """What is answered until the other end closes; nothing where it resets the connection."""
    text = b""
    with web_client(request) as one:
        try:
            while data := one.recv(1 << 16):
                text += data
        except ConnectionError:
            pass
    return text.decode()


def with_all(one, data):
    """Sends what is taken at once."""
    try:
        one.send(data)
    except OSError:
        pass


def is_closed(one):
    """Whether the other end is, once what came from there is read."""
    one.setblocking(False)
    try:
        while one.recv(1 << 20):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
