"""A stream of Binding Updates with a number that the home agent has seen, each answered by status 135 and nothing else:
what is lost under way is lost for want of an SA, or of a path. Run in the node's namespace beside mnd, which ignores
these answers.

As a program: flood.py HOME_ADDRESS AGENT SEQUENCE CARE_OF PAUSE RESULT. SIGUSR1: pause, until an update of mnd itself is
acknowledged; a move thus loses nothing of the stream that is not the keys' doing. SIGTERM: the end, once there were FEWEST of
them; RESULT, which is empty as soon as signals are taken, then holds how many were sent, answered, and refused by the node's
own kernel."""

import json
import os
import select
import signal
import socket
import sys
import time

import spoof

RUNNING, PAUSED, ENDING = range(3)
OUT_OF_WINDOW = 135
DRAIN = 1.5  # seconds without an answer: that was the last one
FEWEST = 301  # updates in a stream, whatever the speed of the machine: it ends when they are sent


class Stream:
    """What scenarios hold."""

    def __init__(self, lab, care_of, pause=0.02):
        from lab import HOME_ADDRESS, HOME_AGENT, RUN, wait_for
        self.lab, self.result = lab, RUN / "flood.json"
        here = os.path.dirname(os.path.abspath(__file__))
        stale = (lab.status("mn")["sequence"] - 1) & 0xFFFF
        self.process = lab.start("flood", "mn", "/usr/bin/python3", "-B", f"{here}/flood.py", HOME_ADDRESS, HOME_AGENT,
                                 str(stale), care_of, str(pause), str(self.result))
        # Before that a signal would end it.
        if not wait_for(self.result.exists, 10):
            raise RuntimeError("the stream of updates does not begin: see flood.log")
        time.sleep(0.3)

    def pause(self):
        self.process.send_signal(signal.SIGUSR1)
        time.sleep(0.25)  # what is on its way arrives

    def end(self):
        self.lab.stop("flood", signal.SIGTERM, DRAIN + 30)
        return json.loads(self.result.read_text(encoding="utf-8"))


def main(home_address, agent, sequence, care_of, pause, result):
    state = RUNNING

    def on_signal(number, _):
        nonlocal state
        state = PAUSED if number == signal.SIGUSR1 and state != ENDING else ENDING
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, on_signal)
    open(result, "w", encoding="utf-8").close()
    raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, spoof.MOBILITY)
    raw.bind((home_address, 0))
    raw.setblocking(False)
    message = spoof.update(home_address, agent, int(sequence), care_of)
    sent = answered = refused = 0
    due, end = time.monotonic(), None
    while end is None or time.monotonic() < end:
        if state == ENDING and end is None and sent >= FEWEST:
            end = time.monotonic() + DRAIN
        ready, _, _ = select.select([raw], [], [], 0.05 if state != RUNNING else max(0.0, due - time.monotonic()))
        if ready:
            got = raw.recv(2048)
            if got[2] == spoof.ACKNOWLEDGEMENT and got[6] == OUT_OF_WINDOW:
                answered += 1
                end = end and time.monotonic() + DRAIN  # the home agent may be behind
            elif got[2] == spoof.ACKNOWLEDGEMENT and got[6] < 128 and state == PAUSED:
                state, due = RUNNING, time.monotonic()
        if state != PAUSED and end is None and time.monotonic() >= due:
            try:
                raw.sendto(message, (agent, 0))
                sent += 1
            except OSError:
                refused += 1
            due = max(due + float(pause), time.monotonic())
    with open(result, "w", encoding="utf-8") as file:
        json.dump({"sent": sent, "answered": answered, "refused": refused}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
