"""SIGKILL at a chosen step of a registration: strace stops the process at the entry of a system call and kills it there;
or, where that would make it too slow, a preloaded library does it (kill-at.c)."""

import os
import signal
import struct
import subprocess
import time
from collections import namedtuple
from pathlib import Path

from lab import HERE, OUT, RUN, wait_for

# victim: process of the lab. calls: system calls, separated by commas; the `number`-th of them is not made any more.
# trigger: what begins the registration: "start" (of the node), "first" (the same, and the home agent has no binding of it),
# "refresh", "move", "home", "end" (of the node; both de-register). path: only calls on this file.
# In place of a call: delay, so many seconds after the trigger; seen, when the scenario has seen that happen.
Step = namedtuple("Step", "victim trigger calls number path delay seen", defaults=("", 1, None, None, None))


def command(step):
    chosen = ["strace", "-f", "-qq", "-o", str(RUN / "strace.log"), "-e", f"trace={step.calls}", "-e",
              f"inject={step.calls}:signal=KILL:when={step.number}"]
    return chosen + (["-P", str(step.path)] if step.path else [])


def children(pid):
    tasks = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in tasks.read_text(encoding="utf-8").split()] if tasks.exists() else []


def traced(pid):
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def kill_at(lab, step, trigger, seen):
    """Begins the registration by trigger(); True if the victim died at that step. It is dead afterwards in any case.
    seen(): whether that has happened which the step waits for."""
    if step.delay is not None or step.seen:
        trigger()
        reached = wait_for(seen, 20, 0.005) if step.seen else not time.sleep(step.delay)
        lab.stop(step.victim, signal.SIGKILL)
        return reached
    if step.trigger in ("start", "first") and step.victim != "ha":
        lab.wrapped[step.victim] = command(step)
        trigger()
        del lab.wrapped[step.victim]
    else:
        pid = lab.processes[step.victim].pid
        lab.start("strace", "mn", *command(step), "-p", str(pid))
        wait_for(lambda: traced(pid), 20, 0.01)
        trigger()
    process = lab.processes[step.victim]
    died = wait_for(lambda: process.poll() is not None, 15, 0.01) and process.returncode == -signal.SIGKILL
    if not died:
        lab.checks.note(f"missed {step}: strace is {'alive' if lab.alive('strace') else 'gone'}")
        for child in children(process.pid):  # who is wrapped by strace outlives it
            os.kill(child, signal.SIGKILL)
    lab.stop(step.victim, signal.SIGKILL)
    lab.stop("strace", signal.SIGKILL)
    return died


class Preloaded:
    """Kills a process that was started with the environment `env`."""

    LIBRARY, ARMED = OUT / "kill-at.so", RUN / "kill-at"
    CALLS = ("sendto", "recvmsg", "pwrite64", "fdatasync")  # kill-at.c has the same

    @classmethod
    def make(cls):
        """For prepare()."""
        subprocess.run(["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(cls.LIBRARY), str(HERE / "guest/kill-at.c")],
                       check=True)

    def __init__(self):
        self.ARMED.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(self.LIBRARY), "KILL_AT": str(self.ARMED)}

    def _arm(self, call, number):
        with open(self.ARMED, "r+b", buffering=0) as file:  # the call last: it is what counts
            file.seek(4)
            file.write(struct.pack("=i", number))
            file.seek(0)
            file.write(struct.pack("=i", call))

    def kill_at(self, lab, step, trigger):
        """As kill_at() above."""
        if step.delay is None:
            self._arm(self.CALLS.index(step.calls) + 1, step.number)
        trigger()
        if step.delay is not None:
            time.sleep(step.delay)
            lab.stop(step.victim, signal.SIGKILL)
            return True
        died = wait_for(lambda: not lab.alive(step.victim), 5, 0.01)
        self._arm(0, 0)
        lab.stop(step.victim, signal.SIGKILL)
        return died
