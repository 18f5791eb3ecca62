"""The payload's path while away: through the tunnel, both ways; new connections choose the home address; forged tunnel
packets are dropped; what is inside the ESP of an update, alternate care-of address option included."""

import struct
import subprocess
import time

import common
import esp
import wire
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, RUN, program, run, wait_for
from spoof import forged


def scenario(lab):
    if not common.begin(lab):
        return
    at = lab.registered_at("mn")
    payload = lab.capture("payload", "ar1", "acc", "ip6 and not ip6[6]==58")
    far = lab.capture("far", "cn", "wan", "icmp6")
    time.sleep(0.5)
    lab.check("the correspondent reaches the home address", lab.ping("cn", HOME_ADDRESS, 5) == 5)
    lab.check("the node reaches the correspondent from the home address",
              lab.ping("mn", CORRESPONDENT, 5, HOME_ADDRESS) == 5)
    lab.check("a host of the home link reaches the home address", lab.ping("hh", HOME_ADDRESS, 5) == 5)
    source = run("/usr/bin/python3", "-c", "import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); "
                 f"s.connect(('{CORRESPONDENT}', 9)); print(s.getsockname()[0])", namespace="mn").strip()
    lab.check("a new connection chooses the home address", source == HOME_ADDRESS, source)

    own = {"home_address": HOME_ADDRESS, "agent": HOME_AGENT, "sequence": 1, "count": 3}
    # From the right outer address they arrive, so a check that nothing arrives can fail.
    times = [time.time()]
    for where, form, source in (("cn", "tunnel-to-node", CORRESPONDENT), ("mn2", "tunnel", lab.care_of("mn2", "w1")),
                                ("cn", "tunnel-to-node", HOME_AGENT), ("mn2", "tunnel", at)):
        forged(where, form, source=source, care_of=at, **own)
        time.sleep(0.3)
        times.append(time.time())
    lab.wire_keys = esp.keys("mn")
    before = lab.status("mn")["sequence"]
    subprocess.run([program("mip6ctl"), "--socket", f"{RUN}/mn.control", "refresh"], check=False)
    wait_for(lambda: lab.status("mn")["sequence"] != before and lab.registered_at("mn"), 5)
    sequence = lab.status("mn")["sequence"]
    lab.stop_captures()

    outer = [wire.parse(t, "ar1", data) for t, data in wire.records(payload)]
    bare = [p for p in outer if p and HOME_ADDRESS in (p.source, p.destination)]
    tunnelled = [p for p in outer if p and p.protocol == wire.IPV6]
    lab.check("on the access link payload of the home address is in the tunnel only", tunnelled and not bare, bare[:3])
    lab.check("the tunnel is between care-of address and home agent",
              all({p.source, p.destination} == {at, HOME_AGENT} for p in tunnelled if p.source != CORRESPONDENT),
              tunnelled[:3])
    arrived = [t for t, data in wire.records(far) if b"forged" in data]
    counts = [len([t for t in arrived if begin < t < end]) for begin, end in zip(times, times[1:])]
    lab.check("a tunnel packet from anybody but the home agent is dropped by the node",
              counts[0] == 0 and counts[2] > 0, counts)
    lab.check("a tunnel packet from a wrong outer address is dropped by the home agent",
              counts[1] == 0 and counts[3] > 0, counts)
    inside(lab, at, sequence)


def inside(lab, at, sequence):
    """The last update, decrypted with the kernel's own key."""
    updates = [p for p in wire.packets(lab.captures) if wire.is_update(p, HOME_ADDRESS, HOME_AGENT) and p.link == "ar1"]
    update = updates[-1] if updates else None
    key = update and lab.wire_keys.get(update.spi)
    if not lab.check("the last update's SA is one of the node's", key, update):
        return
    _, text = esp.decrypt(update.payload, key)
    kind, number, flags = text[2], *struct.unpack_from("!HH", text, 6)
    options = text[12:8 * (1 + text[1])]
    lab.check("inside is a Binding Update with A, H and K and its sequence number",
              kind == 5 and number == sequence and flags & 0xD000 == 0xD000, (kind, number, hex(flags)))
    alternate = None
    position = 0
    while position + 1 < len(options):
        if options[position] == 0:
            position += 1
            continue
        if options[position] == 3:
            alternate = wire.address(options[position + 2:position + 18])
        position += 2 + options[position + 1]
    lab.check("with the care-of address in its alternate care-of address option", alternate == at, alternate)
