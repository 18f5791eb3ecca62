#!/usr/bin/env python3
"""Prints the medians of Google Benchmark's JSON beside what is wanted.

usage: table.py FILE
Exit code 1: a figure is missing, or beyond ten times the wanted one.
"""
import json
import sys

# Nanoseconds of CPU time; allocations of one operation and heap bytes of one binding, where they are limited.
# Those that wait for the disk are in real time, below.
WANTED = {
    "ParseBindingUpdate": {"time": 100, "allocations": 0},
    "WriteBindingUpdate": {"time": 100, "allocations": 0},
    "MobileNodeEvent": {"time": 1000},
    "BindingCacheUpdate/1000": {"bytes_per_binding": 512},
    "BindingCacheUpdate/10000": {"bytes_per_binding": 512},
    "BindingCacheUpdate/100000": {"time": 2000, "bytes_per_binding": 512},
    "SimulatedMove": {"time": 20000},
}
# Through core, performer and database on this disk, with a kernel that agrees at once: updates a second, stored before
# they are acknowledged, that many at a time; heap of a home agent with 100,000 bound nodes, all that it keeps of one;
# seconds from reading the configuration's files until an update is answered.
DURABLE = "DurableUpdates/256/real_time"
ALONE = "DurableUpdates/1/real_time"
SYNC = "DiskSync/real_time"
START = "StartUp/iterations:1/real_time"
# The second takes at most so many times the first.
GROWTH = {"BindingCacheUpdate growth": ("BindingCacheUpdate/1000", "BindingCacheUpdate/100000", 3),
          "KeysOfOneMove growth": ("KeysOfOneMove/1000", "KeysOfOneMove/100000", 10)}
FAILURE = 10  # times the wanted
UNITS = {"time": "ns", "allocations": "allocations", "bytes_per_binding": "bytes a binding"}


def medians(path):
    """Of each benchmark: CPU time in nanoseconds and the counters."""
    with open(path, encoding="utf-8") as file:
        runs = json.load(file)["benchmarks"]
    scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
    return {
        run["run_name"]: {**run, "time": run["cpu_time"] * scale[run["time_unit"]],
                          "real": run["real_time"] * scale[run["time_unit"]]}
        for run in runs
        if run.get("aggregate_name") == "median" and not run.get("error_occurred")
    }


def judge(name, measured, wanted, unit, form):
    mark = "" if measured <= wanted else "BEYOND" if measured <= FAILURE * wanted else "FAR BEYOND"
    print(f"{name:28}{measured:>10{form}}  wanted {wanted:>6} {unit:18}{mark}".rstrip())
    return mark != "FAR BEYOND"


def at_least(name, measured, wanted, unit):
    mark = "" if measured >= wanted else "BEYOND" if measured * FAILURE >= wanted else "FAR BEYOND"
    print(f"{name:28}{measured:>10,.0f}  wanted {wanted:>6} {unit:18}{mark}".rstrip())
    return mark != "FAR BEYOND"


def durable(figures):
    missing = [name for name in (DURABLE, ALONE, SYNC, START) if name not in figures]
    for name in missing:
        print(f"{name:28}not measured")
    if missing:
        return False
    sync, alone = (figures[name]["real"] for name in (SYNC, ALONE))
    print(f"{'DiskSync':28}{1e9 / sync:>10,.0f}                syncs a second")
    good = at_least("DurableUpdates", figures[DURABLE]["items_per_second"], 10000, "updates a second")
    # What an update takes without a disk is some microseconds. Judged as it is shown: of hundreds one has a checkpoint.
    good &= judge("DurableUpdates one alone", round(figures[ALONE]["syncs"], 1), 1, "syncs made", ",.1f")
    good &= judge("DurableUpdates one alone", round(alone / sync, 1), 1, "syncs' time", ",.1f")
    good &= judge("DurableUpdates memory", figures[DURABLE]["bytes_per_binding"], 2048, "bytes a node", ",.0f")
    return good & judge("StartUp 100,000 bindings", figures[START]["real"] / 1e9, 10, "s", ",.1f")


def main():
    figures = medians(sys.argv[1])
    good = True
    for name, limits in WANTED.items():
        run = figures.get(name)
        if run is None:
            print(f"{name:28}not measured")
            good = False
            continue
        for what, unit in UNITS.items():
            form = ",.2f" if what == "allocations" else ",.0f"
            if what in limits:
                good &= judge(name, run[what], limits[what], unit, form)
            elif what in run:
                print(f"{name:28}{run[what]:>10{form}}                {unit}")
    for name, (first, last, times) in GROWTH.items():
        if first not in figures or last not in figures:
            print(f"{name:28}not measured")
            good = False
            continue
        good &= judge(name, figures[last]["time"] / figures[first]["time"], times, "times", ",.2f")
    good &= durable(figures)
    sys.exit(0 if good else 1)


main()
