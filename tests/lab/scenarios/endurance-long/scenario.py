"""Scenario `endurance`, with 2,000 moves and ten minutes of nothing under the service manager's watchdog. tests/lab/soak makes
10,000 moves, which take an hour."""

import os

from lab import RUN, load


def scenario(lab):
    os.environ.update(LAB_MOVES="2000", LAB_IDLE="600")
    # As mnd.service has it; nobody listens.
    lab.environment["mnd.mn"] = {"WATCHDOG_USEC": "300000000", "NOTIFY_SOCKET": f"{RUN}/notify"}
    load("endurance").scenario(lab)
