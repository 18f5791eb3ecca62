#!/usr/bin/env python3
"""Writes the seeds of the cores that were made by hand: stories, as the bytes with which a target chooses them.

usage: core_seeds.py [CORPUS]
Where the meaning of a target's bytes changes, change it here too and run it again.
"""
import pathlib
import sys

NO, YES = b"\0", b"\1"
NEWEST = b"\1\x3b"  # of up to six updates that were sent: not any number, but this one of them
S420, INFINITE = b"\1\3", b"\1\6"  # lifetimes
HOME, AWAY = 0, 1
ACCEPTED, PREFIXES, NOT_SERVED, DUPLICATE, OUT_OF_WINDOW = 0, 2, 8, 9, 10  # statuses


def byte(*values):
    return bytes(values)


def pause(seconds=0, hours=0):
    return byte(3, hours) if hours else byte(2, seconds) if seconds else NO


# --- the mobile node (node.hpp) ---
def attached(care_of, soft=NO, **wait):
    return pause(**wait) + byte(2) + byte(1, 0, care_of) + soft


def at_home(**wait):
    return pause(**wait) + byte(2, HOME) + NO


def keys(fresh=YES, dynamic=YES):
    return pause() + byte(5) + YES + fresh + dynamic + NO


def acknowledged(status=ACCEPTED, number=NEWEST, migrates=YES):
    return pause() + byte(0, status) + number + migrates + S420 + NO


STORED = pause() + byte(8) + YES
DEADLINE = pause() + byte(14)
STOP = pause() + byte(13, 0)
REGISTRATION = NO + NO + b"\3\xe8" + NO  # no L, no binding of a former process, numbers from 1000 on
REGISTERED = attached(0) + STORED + keys() + acknowledged()

NODE_CORE = {
    "registers_moves_returns_home": [REGISTRATION, REGISTERED, attached(1), acknowledged(), at_home(),
                                     acknowledged(), DEADLINE],
    "sleeps_beyond_its_binding": [REGISTRATION, REGISTERED, attached(0, hours=2), DEADLINE, acknowledged()],
    "keys_renewed_where_k_is_refused": [REGISTRATION, REGISTERED, attached(1), acknowledged(migrates=NO), keys()],
    "out_of_window_goes_on_from_there": [REGISTRATION, attached(0), STORED, keys(),
                                         acknowledged(OUT_OF_WINDOW, b"\0\x20\0"), STORED, keys(), acknowledged()],
    "unanswered_until_stopped": [REGISTRATION, REGISTERED, attached(1), DEADLINE * 6, STOP, DEADLINE],
}


def mobile(agents, discover=NO):
    known = byte(len(agents), *agents) + (discover if agents else b"")
    return byte(7) + NO + NO + known + YES + b"\3\xe8" + NO


def of_node(*steps):
    return b"".join(b"\1" + step for step in steps)


FIRST_UPDATE = of_node(attached(0), STORED, keys())
SERVED = FIRST_UPDATE + of_node(acknowledged())
FOUND = NO + pause() + YES + YES + byte(1, 1, 2)  # a discovery reply: home agent 2
# A prefix advertisement as it was asked for, from the home agent: the other prefix, infinite.
ADVERTISED = NO + pause() + NO + YES + YES + YES + byte(1) + byte(0, 1) + INFINITE + INFINITE

MOBILE_NODE = {
    "registers_moves_returns_home": [mobile([0, 1]), SERVED, of_node(attached(1), acknowledged(), at_home(),
                                                                     acknowledged())],
    "second_agent_after_silence": [mobile([0, 1]), FIRST_UPDATE, of_node(*[DEADLINE] * 4, STORED, keys()),
                                   of_node(acknowledged())],
    "second_agent_where_not_served": [mobile([0, 1]), FIRST_UPDATE,
                                      of_node(acknowledged(NOT_SERVED), STORED, keys(), acknowledged())],
    "agent_found_by_discovery": [mobile([]), of_node(attached(0)), FOUND, of_node(STORED, keys(), acknowledged())],
    "prefix_advertised_then_duplicate": [mobile([0]), FIRST_UPDATE, of_node(acknowledged(PREFIXES)), ADVERTISED,
                                         of_node(attached(1), acknowledged(DUPLICATE), STORED, keys(),
                                                 acknowledged())],
    "duplicate_after_many_updates": [mobile([0]), FIRST_UPDATE, of_node(acknowledged(PREFIXES)), ADVERTISED,
                                     of_node(attached(1), attached(2), acknowledged(DUPLICATE), STORED, keys())],
    "stopped_during_discovery": [mobile([0], YES), SERVED, of_node(attached(1), *[DEADLINE] * 4, STOP), FOUND],
}


# --- the home agent (agent_core.cpp) ---
def update(number, care_of, lifetime=S420, **wait):
    return pause(**wait) + byte(1, 1, 0, 0) + number + lifetime + byte(5, care_of)


def at_home_again(step):
    return pause() + byte(1, 1, 0, 16, step) + b"\1\0"


FIRST = b"\0\3\xe8"  # the number 1000 where none is known yet
PROBED = pause() + byte(6, 0, 1)
KEPT = pause() + byte(8) + YES
AGENT = YES + YES + YES + NO  # dynamic keys, K, duplicate address detection, nothing to restore
BOUND = update(FIRST, 0) + PROBED + KEPT
LAST = pause() + byte(15)

AGENT_CORE = {
    "registers_moves_returns_home": [AGENT, BOUND, update(b"\1", 1), KEPT, at_home_again(1), KEPT],
    "expires": [AGENT, BOUND, LAST, KEPT, update(b"\1", 1), PROBED, KEPT],
    "replayed": [AGENT, BOUND, update(b"\1", 1), KEPT, update(b"\0", 0), update(b"\x80\3\xe8", 0)],
    "prefix_withdrawn": [AGENT, BOUND, pause(), byte(14, 1, 0), KEPT, update(b"\1", 1)],
    "banned_while_storing": [AGENT, update(FIRST, 0), PROBED, pause(), byte(14, 5, 0, 0), KEPT, KEPT,
                             update(b"\1", 1)],
}


# --- its network (home_network.cpp) ---
def of_list(*choices):
    return pause() + byte(2, *choices)


def of_advertiser(*choices, **wait):
    return pause(**wait) + byte(3, 0, *choices)


NETWORK = byte(7, 1, 0, 3) + byte(9, 0, 1, 0)  # we have preference 3; advertisements are wanted
LISTED = of_list(2, 1, 9, 1, 7, 8) + YES + byte(5, 7, 8) + byte(1, 4, 2) + INFINITE + INFINITE + byte(1, 9)
ASKED = of_list(0, 0, 77, 5, 0)
INSTALLED = of_advertiser(2, 0)
NEXT = pause() + byte(1)

HOME_NETWORK = {
    "two_agents_by_preference": [NETWORK, LISTED, ASKED, pause(), NO, ASKED],
    "solicited_twice_in_a_second": [NETWORK, INSTALLED, of_advertiser(0, 0, 7, 5, 0), of_advertiser(0, 0, 8, 5, 0),
                                    NEXT],
    "told_unasked_until_given_up": [NETWORK, INSTALLED, of_advertiser(5, 1, 0, 0, *INFINITE, *INFINITE), NEXT * 6],
}


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    corpus = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent / "corpus")
    for target, seeds in {"node_core": NODE_CORE, "mobile_node": MOBILE_NODE, "agent_core": AGENT_CORE,
                          "home_network": HOME_NETWORK}.items():
        (corpus / target).mkdir(parents=True, exist_ok=True)
        for name, parts in seeds.items():
            (corpus / target / name).write_bytes(b"".join(parts))


main()
