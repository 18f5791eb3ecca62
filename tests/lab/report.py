"""The figures of tests/lab/report as a table, medians beside what is wanted, and as a plot.

usage: report.py RESULT.json PLOT.png"""

import json
import math
import statistics
import subprocess
import sys

SYSTEMS = ("mnd", "mnd-k-refused", "mobike", "wireguard", "wireguard-keepalive", "wireguard-sending")


def is_mnd(run):
    return run["system"].startswith("mnd")


def known(values):
    return [value for value in values if value is not None]


def median(values):
    found = known(values)
    return round(statistics.median(found), 1) if found else None


def percentile(values, percent):
    """Nearest rank; None if a value is missing: what never came is later than all that did."""
    if not values or None in values:
        return None
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def shown(value):
    return "-" if value is None else f"{value:g}"


FIRST_PACKET = ("first packet, ms", "first packet at most, ms")


def first_packet(run):
    return median(run["packet_ms"]), max(known(run["packet_ms"]), default=None)


def wanted(run):
    """(figure, seen, limit) of what the project wants of mnd in this run."""
    rtt, loss, kind = run["rtt_ms"], run["loss_pct"], run["kind"]
    if loss:
        return [(f"registered, 95th percentile of {run['n']}, ms", percentile(run["registered_ms"], 95), 3000)]
    if kind == "hard":
        gap = median(run["gap_ms"])
        return [*zip(FIRST_PACKET, first_packet(run), (2, 5)),
                ("ping gap above the steady one, ms", None if gap is None else round(gap - run["steady_gap_ms"], 1), 20 + rtt)]
    if kind == "soft":
        return [("pings lost", median(run["lost"]), 0)]
    return [("first packet, ms", median(run["packet_ms"]), 50)]


def where_it_stays(run):
    """Of a VPN that does not take the address of the link that came back."""
    mixed = sum(bool(count) for count in run["old_source"])
    return f"  {mixed} times out by this link, with the other one's address" if mixed else "  stays on the old link"


def table(runs):
    print(f"\n{'system':19} {'RTT':>4} {'loss':>4} {'kind':5} {'n':>3} {'packet':>8} {'registered':>10} {'gap':>8} "
          f"{'steady':>7} {'lost':>5} {'IKE':>4} {'cpu':>6}")
    for run in runs:
        figures = {name: median(run[name]) for name in
                   ("packet_ms", "registered_ms", "gap_ms", "lost", "ike_packets", "cpu_ms")}
        stays = not is_mnd(run) and run["kind"] != "hard" and figures["packet_ms"] is None
        print(f"{run['system']:19} {run['rtt_ms']:4g} {run['loss_pct']:4g} {run['kind']:5} {run['n']:3} "
              f"{shown(figures['packet_ms']):>8} {shown(figures['registered_ms']):>10} {shown(figures['gap_ms']):>8} "
              f"{shown(run['steady_gap_ms']):>7} {shown(figures['lost']):>5} {shown(figures['ike_packets']):>4} "
              f"{shown(figures['cpu_ms']):>6}{where_it_stays(run) if stays else ''}")
    print("medians; ms, packet and registered from the kernel's notification on; gap: of a ping every 10 ms")


def judge(runs):
    print(f"\n{'wanted of mnd':72} {'here':>8}   wanted")
    slow = 0
    for run in runs:
        of = f"{run['system']}, RTT {run['rtt_ms']:g}, loss {run['loss_pct']:g}, {run['kind']}"
        if run["system"] == "floor":
            for figure, seen in zip(FIRST_PACKET, first_packet(run)):
                print(f"{of + ': ' + figure:72} {shown(seen):>8}   what this machine takes to send one at all")
        if not is_mnd(run):
            continue
        for figure, seen, limit in wanted(run):
            good = seen is not None and seen <= limit
            slow += not good
            print(f"{of + ': ' + figure:72} {shown(seen):>8} {' ' if good else '!'} {limit:g} or less")
    if slow:
        print(f"! slower than wanted: {slow} (is the machine busy? user-mode Linux has a tick of 10 ms)")


def plot(result, path):
    """A bar for each median of hard moves: the longest ping gap, by distance, loss and system."""
    hard = [run for run in result["runs"] if run["kind"] == "hard"]
    places = list(dict.fromkeys((run["rtt_ms"], run["loss_pct"]) for run in hard))
    systems = [name for name in SYSTEMS if any(run["system"] == name and known(run["gap_ms"]) for run in hard)]
    if not systems:
        return print("\nno plot: nothing could be measured")
    lines = []
    for rtt, loss in places:
        values = [next((median(run["gap_ms"]) for run in hard if run["system"] == system and
                        (run["rtt_ms"], run["loss_pct"]) == (rtt, loss)), None) for system in systems]
        lines.append(f'"RTT {rtt:g} ms\\nloss {loss:g} %" ' + " ".join("NaN" if v is None else str(v) for v in values))
    columns = ", ".join(f"$data using {i + 2}{':xtic(1)' if i == 0 else ''} title '{system}'"
                        for i, system in enumerate(systems))
    script = "\n".join([
        "set terminal pngcairo size 900,500", f"set output '{path}'", "set style data histogram",
        "set style fill solid 0.7 border -1", "set style histogram clustered gap 1", "set bmargin 4",
        "set key outside top center horizontal", "set logscale y", "set yrange [1:*]", "set grid ytics",
        f"set title 'The link in use goes: longest gap of a ping every 10 ms (median, kernel {result['kernel']})'",
        "set ylabel 'ms'", "$data << EOD", *lines, "EOD", f"plot {columns}"])
    subprocess.run(["gnuplot"], input=script + "\n", text=True, check=True)
    print(f"\nplot: {path}")


def main(path, picture):
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    table(result["runs"])
    if result["left_out"]:
        print(f"not measured: {', '.join(result['left_out'])}; this kernel has no WireGuard")
    judge(result["runs"])
    plot(result, picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
