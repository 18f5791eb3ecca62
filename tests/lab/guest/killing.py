"""SIGKILL at a chosen step of a registration: at the entry of a system call, where a preloaded library does it (kill-at.c), or
when the scenario has seen something happen."""

import signal
import struct
import subprocess
import time
from collections import namedtuple
from pathlib import Path

from lab import HERE, OUT, RUN, wait_for

# victim: process of the lab. call: a system call; the `number`-th of them is not made any more.
# trigger: what begins the registration: "start" (of the node), "first" (the same, and the home agent has no binding of it),
# "refresh", "move", "home", "end" (of the node; both de-register), or what the scenario makes of it.
# In place of a call: delay, so many seconds after the trigger; seen, when the scenario has seen that happen.
Step = namedtuple("Step", "victim trigger call number delay seen", defaults=("", 1, None, None))


def traced(pid):
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


class Preloaded:
    """Kills a process that was started with the environment `env`. name: of a file, if there are several of them."""

    LIBRARY = OUT / "kill-at.so"
    CALLS = ("sendto", "recvmsg", "pwrite64", "fdatasync", "open", "fsync", "rename")  # kill-at.c has the same

    @classmethod
    def make(cls):
        """For prepare()."""
        subprocess.run(["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(cls.LIBRARY), str(HERE / "guest/kill-at.c")],
                       check=True)

    def __init__(self, name="kill-at"):
        self.armed = RUN / name
        self.armed.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(self.LIBRARY), "KILL_AT": str(self.armed)}

    def _arm(self, call, number):
        with open(self.armed, "r+b", buffering=0) as file:  # the call last: it is what counts
            file.seek(4)
            file.write(struct.pack("=i", number))
            file.seek(0)
            file.write(struct.pack("=i", call))

    def kill_at(self, lab, step, trigger, seen=None):
        """Begins the registration by trigger(); True if the victim died at that step. It is dead afterwards in any case.
        seen(): whether that has happened which the step waits for."""
        if step.call:
            self._arm(self.CALLS.index(step.call) + 1, step.number)
        trigger()
        if step.call:
            victim = lab.processes[step.victim]
            reached = wait_for(lambda: victim.poll() is not None, 5, 0.01) and victim.returncode == -signal.SIGKILL
            self._arm(0, 0)
        else:
            reached = wait_for(seen, 20, 0.005) if step.seen else not time.sleep(step.delay)
        lab.stop(step.victim, signal.SIGKILL)
        return reached
