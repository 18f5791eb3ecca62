"""Prints the figures of a run as a table, its medians beside what is wanted. Counts and sizes must hold; a time beyond
the wanted one is marked, since a busy machine can make it so, and fails only if missing or beyond ten times that.

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


def time_row(figure, seen, wanted, text, reference):
    known = seen is not None and wanted is not None
    return figure, seen, text, known and seen <= wanted, known and seen <= 10 * wanted, reference


def count_row(figure, seen, wanted, text, reference):
    held = seen is not None and seen <= wanted
    return figure, seen, text, held, held, reference


def plus(value, more):
    return None if value is None else value + more


def rows(result):
    """(figure, seen, wanted as text, as wanted, held, reference); kinds of move that did not happen are left out."""
    moves, steady, agree = result["moves"], result["steady_gap_ms"], result["k"] == "agree"
    kinds = {m["kind"] for m in moves}
    if "hard" in kinds:
        yield time_row("hard move: notification to Binding Update, ms", median(moves, "hard", "bu_after_ms"), 5,
                       "5 or less", "UMIP 30, MOBIKE VPN 200")
        yield ("hard move: notification to Acknowledgement, ms", median(moves, "hard", "registered_ms"), "", True, True,
               "")
        yield time_row("hard move: longest ping gap, ms", median(moves, "hard", "gap_ms"), plus(steady, 20),
                       f"{shown(steady)} + 20 or less", "UMIP 60 to 81, MOBIKE 160")
        yield "hard move: pings lost", median(moves, "hard", "lost"), "", True, True, ""
    if "soft" in kinds:
        # Figures come in ticks of 10 ms: one tick is no difference.
        yield time_row("soft move: longest ping gap, ms", median(moves, "soft", "gap_ms"), plus(steady, 10),
                       f"{shown(steady)} (steady)", "")
        yield count_row("soft move: pings lost", median(moves, "soft", "lost"), 0, "0", "")
        yield ("soft move: notification to Binding Update, ms", median(moves, "soft", "bu_after_ms"), "", True, True,
               "")
    yield count_row("IKE packets per move", median(moves, None, "ike_packets"), 0 if agree else 6,
                    "0" if agree else "6 or fewer", "MOBIKE 2 to 5")
    memory = result["mnd"]["rss_kib"]
    yield count_row("resident memory of mnd, MiB", memory and round(memory / 1024, 1), 10, "10 or less", "")


def main(path):
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    print(f"\n{'move':>4} {'kind':4} {'to':40} {'BU ms':>7} {'BA ms':>7} {'gap ms':>7} "
          f"{'lost':>4} {'IKE':>3} {'K':3} {'seq':>5}")
    for m in result["moves"]:
        print(f"{m['n']:4} {m['kind']:4} {shown(m['to']):40} {shown(m['bu_after_ms']):>7} "
              f"{shown(m['registered_ms']):>7} {shown(m['gap_ms']):>7} {shown(m['lost']):>4} {shown(m['ike_packets']):>3} "
              f"{'yes' if m['k'] else 'no':3} {shown(m['sequence']):>5}")
    print(f"\n{'median of':46} {'here':>7}   {'wanted':20} others, measured earlier")
    good = True
    slow = 0
    for figure, seen, wanted, as_wanted, held, reference in rows(result):
        good = good and held
        slow += held and not as_wanted
        print(f"{figure:46} {shown(seen):>7} {' ' if as_wanted else '!'} {wanted:20} {reference}".rstrip())
    if slow:
        print(f"! slower than wanted: {slow} (is the machine busy?)")
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
