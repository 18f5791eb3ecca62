"""Prints the figures of a run as a table, its medians beside what is wanted; status 1 if one is missed or missing.

usage: summary.py RESULT.json"""

import json
import statistics
import sys


def median(moves, kind, key):
    values = [m[key] for m in moves if kind in (None, m["kind"])]
    if not values or any(v is None for v in values):
        return None
    return round(statistics.median(values), 1)


def shown(value):
    return "-" if value is None else str(value)


def rows(result):
    """(figure, seen, wanted as text, held, reference); kinds of move that did not happen are left out."""
    moves, steady, agree = result["moves"], result["steady_gap_ms"], result["k"] == "agree"
    kinds = {m["kind"] for m in moves}
    if "hard" in kinds:
        seen = median(moves, "hard", "bu_after_ms")
        yield "hard move: notification to Binding Update, ms", seen, "5 or less", seen is not None and seen <= 5, \
            "UMIP 30, MOBIKE VPN 200"
        yield "hard move: notification to Acknowledgement, ms", median(moves, "hard", "registered_ms"), "", True, ""
        seen = median(moves, "hard", "gap_ms")
        yield "hard move: longest ping gap, ms", seen, f"{shown(steady)} + 20 or less", \
            None not in (seen, steady) and seen <= steady + 20, "UMIP 60 to 81, MOBIKE 160"
        yield "hard move: pings lost", median(moves, "hard", "lost"), "", True, ""
    if "soft" in kinds:
        seen = median(moves, "soft", "gap_ms")
        # Figures come in ticks of 10 ms: one tick is no difference.
        yield "soft move: longest ping gap, ms", seen, f"{shown(steady)} (steady)", \
            None not in (seen, steady) and seen <= steady + 10, ""
        seen = median(moves, "soft", "lost")
        yield "soft move: pings lost", seen, "0", seen == 0, ""
        yield "soft move: notification to Binding Update, ms", median(moves, "soft", "bu_after_ms"), "", True, \
            "UMIP 1087 to 1149"
    seen = median(moves, None, "ike_packets")
    yield "IKE packets per move", seen, "0" if agree else "6 or fewer", \
        seen is not None and seen <= (0 if agree else 6), "MOBIKE 2 to 5"
    memory = result["mnd"]["rss_kib"]
    yield "resident memory of mnd, MiB", memory and round(memory / 1024, 1), "10 or less", \
        memory is not None and memory <= 10240, ""


def main(path):
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    print(f"\n{'move':>4} {'kind':4} {'to':40} {'BU ms':>7} {'BA ms':>7} {'gap ms':>7} "
          f"{'lost':>4} {'IKE':>3} {'K':3} {'seq':>5}")
    for m in result["moves"]:
        print(f"{m['n']:4} {m['kind']:4} {shown(m['to']):40} {shown(m['bu_after_ms']):>7} "
              f"{shown(m['registered_ms']):>7} {shown(m['gap_ms']):>7} {shown(m['lost']):>4} {shown(m['ike_packets']):>3} "
              f"{'yes' if m['k'] else 'no':3} {shown(m['sequence']):>5}")
    print(f"\n{'median of':46} {'here':>7}   {'wanted':20} {'reference in the same lab'}")
    good = True
    for figure, seen, wanted, held, reference in rows(result):
        good = good and held
        print(f"{figure:46} {shown(seen):>7} {' ' if held else '!'} {wanted:20} {reference}")
    tcp, wire = result["tcp"], result["wire"]
    print(f"\ntransfer: {tcp['bytes']} bytes, {'complete' if tcp['complete'] else 'NOT COMPLETE'}, "
          f"{tcp['resets']} resets; steady ping gap {shown(result['steady_gap_ms'])} ms")
    print(f"on the wire: {wire['bu_protected']} updates and {wire['ba_protected']} acknowledgements under ESP, "
          f"{wire['bu_clear'] + wire['ba_clear']} in the clear")
    print(f"processor time: mnd {shown(result['mnd']['cpu_ms'])} ms, mip6-ha {shown(result['ha']['cpu_ms'])} ms; "
          f"left behind: {sum(map(len, result['leftovers'].values()))}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
