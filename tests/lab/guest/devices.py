"""One tunnel device for each node beside one device for all: how long they take to make, what the kernel needs for them,
and how many packets a second go out and come in."""

import re
import statistics
import subprocess
import time
from pathlib import Path

import crowd
import kernel
import spoof
from deluge import SPRAY, mac
from lab import CORRESPONDENT, HOME_AGENT, RUN, inside, run, wait_for

PACKETS, SIZE, ROUNDS, BATCH = 20_000, 1000, 5, 64


def received(namespace, device):
    """Packets that this device has had."""
    text = inside(namespace, lambda: Path("/proc/thread-self/net/dev").read_text(encoding="utf-8"))
    return next(int(line.split()[2]) for line in text.splitlines() if line.strip().startswith(f"{device}:"))


def sprayed(frame, namespace, device):
    """The frame again and again from the correspondent: how many arrive at that device, and how many do in a second."""
    (RUN / "frame").write_bytes(frame)
    before = received(namespace, device)
    with open(RUN / "frame", "rb") as file:
        told = inside("cn", lambda: subprocess.run([str(SPRAY), "wan", str(PACKETS), str(BATCH), "0"], stdin=file,
                                                   stdout=subprocess.PIPE, text=True, check=True)).stdout.split()
    end, seen, settled = time.monotonic(), -1, 0.0
    while (now := received(namespace, device) - before) != seen:
        settled, seen = time.monotonic() - end if seen >= 0 else 0.0, now
        time.sleep(0.02)
    return seen, seen / (float(told[1]) + settled)


def batch(tool, lines):
    """Seconds that it takes."""
    begin = time.monotonic()
    done = inside("ha", lambda: subprocess.run([tool, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=False,
                                               capture_output=True))
    if done.returncode != 0:
        raise RuntimeError(f"{tool}: {done.stderr.splitlines()[:3]}")
    return time.monotonic() - begin


def memory():
    """KiB that the kernel has given away."""
    text = Path("/proc/meminfo").read_text(encoding="utf-8")
    value = {name: int(number) for name, number in re.findall(r"(\w+):\s+(\d+) kB", text)}
    return value["MemTotal"] - value["MemFree"] - value["Cached"] - value["Buffers"]


def one_device(nodes):
    seconds = batch("ip", ["link add mip6t type ip6tnl external", "link set mip6t up"] + [
        f"route add {one.home_address}/128 encap ip6 src {HOME_AGENT} dst {one.care_of} dev mip6t" for one in nodes])
    return seconds + batch("tc", ["qdisc add dev mip6t clsact"] + [
        f"filter add dev mip6t ingress protocol ipv6 pref 1 flower enc_src_ip {one.care_of} src_ip {one.home_address} "
        "action pass" for one in nodes] + ["filter add dev mip6t ingress protocol all pref 100 matchall action drop"])


def device_for_each(nodes):
    """The device looks at the outer source; the inner one needs a filter too."""
    seconds = batch("ip", [line for index, one in enumerate(nodes) for line in (
        f"link add mip6t{index} group 7 type ip6tnl mode ip6ip6 local {HOME_AGENT} remote {one.care_of} encaplimit none",
        f"link set mip6t{index} up", f"route add {one.home_address}/128 dev mip6t{index}")])
    return seconds + batch("tc", [line for index, one in enumerate(nodes) for line in (
        f"qdisc add dev mip6t{index} clsact",
        f"filter add dev mip6t{index} ingress protocol ipv6 pref 1 flower src_ip {one.home_address} action pass",
        f"filter add dev mip6t{index} ingress protocol all pref 100 matchall action drop")])


def compare(lab, count):
    nodes, found = crowd.others(count), {"nodes": count}
    payload = crowd.Payload(count)
    run("sysctl", "-q", "net.ipv6.conf.all.forwarding=1", namespace="ha")
    for name, make, remove in (("one_device", one_device, ["del", "mip6t"]),
                               ("device_for_each", device_for_each, ["del", "group", "7"])):
        before = memory()
        seconds = make(nodes)
        told = found[name] = {"nodes_per_s": round(count / seconds), "kib_for_each": round((memory() - before) / count, 1)}
        right = {spoof.packed(one.home_address): {spoof.packed(one.care_of)} for one in nodes}
        # The devices need a moment after they are up.
        lab.check(f"{name}: payload of each goes to its own care-of address", wait_for(
            lambda: payload.to_nodes() == right, 5, 0.5))
        lab.check(f"{name}: from it, it is forwarded", payload.from_nodes().keys() == right.keys())
        lab.check(f"{name}: from another's it is not", not payload.from_nodes(shift=1))
        told.update(rates(nodes))
        begin = time.monotonic()
        run("ip", "link", *remove, namespace="ha")
        told["remove_s"] = round(time.monotonic() - begin, 2)
        lab.checks.note(f"{name}: {told}")
    payload.close()
    return found


def rates(nodes):
    """Through a tunnel in the middle of all, both ways, as shares of plain forwarding in between: what else this machine
    does is in each of them."""
    one, ends = nodes[len(nodes) // 2], mac("core", "r4") + mac("cn", "wan") + b"\x86\xdd"
    inner = spoof.ipv6(one.home_address, CORRESPONDENT, crowd.NO_NEXT_HEADER, bytes(SIZE))
    host = next(entry.local for entry in kernel.addresses("hh", "eth0"))
    ways = {"forwarding": (spoof.ipv6(CORRESPONDENT, host, crowd.NO_NEXT_HEADER, bytes(SIZE)), "hh", "eth0"),
            "out": (spoof.ipv6(CORRESPONDENT, one.home_address, crowd.NO_NEXT_HEADER, bytes(SIZE)), "cn", "wan"),
            "in": (spoof.ipv6(one.care_of, HOME_AGENT, crowd.TUNNEL, inner), "cn", "wan")}
    seen = {name: [] for name in ways}
    run("ping", "-c", "1", host, check=False, namespace="cn")  # neighbours are known then
    for _ in range(ROUNDS):
        for name, (packet, namespace, device) in ways.items():
            seen[name].append(sprayed(ends + packet, namespace, device)[1])
    plain = statistics.median(seen.pop("forwarding"))
    return {f"{name}_of_forwarding": round(statistics.median(values) / plain, 2) for name, values in seen.items()}
