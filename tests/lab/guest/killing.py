"""SIGKILL at a chosen step of a registration: strace stops the process at the entry of a system call and kills it there;
or, where that would make it too slow, a preloaded library does it (kill-at.c)."""

import signal
import struct
import subprocess
import time
from collections import namedtuple
from pathlib import Path

from lab import HERE, OUT, RUN, wait_for

# victim: process of the lab. calls: system calls, separated by commas; the `number`-th of them is not made any more.
# trigger: what begins the registration: "start" (of the node), "refresh", "move". path: only calls on this file.
# delay: in place of a call, so many seconds after the trigger.
Step = namedtuple("Step", "victim trigger calls number path delay", defaults=("", 1, None, None))


def command(step):
    chosen = ["strace", "-f", "-qq", "-o", str(RUN / "strace.log"), "-e", f"trace={step.calls}", "-e",
              f"inject={step.calls}:signal=KILL:when={step.number}"]
    return chosen + (["-P", str(step.path)] if step.path else [])


def traced(pid):
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def kill_at(lab, step, trigger):
    """Begins the registration by trigger(); True if the victim died at that step. It is dead afterwards in any case."""
    if step.trigger == "start":
        lab.wrapped[step.victim] = command(step)
        trigger()
        del lab.wrapped[step.victim]
    elif step.delay is not None:
        trigger()
        time.sleep(step.delay)
        lab.stop(step.victim, signal.SIGKILL)
        return True
    else:
        pid = lab.processes[step.victim].pid
        lab.start("strace", "mn", *command(step), "-p", str(pid))
        wait_for(lambda: traced(pid), 20, 0.01)
        trigger()
    died = wait_for(lambda: not lab.alive(step.victim), 5, 0.01)
    if not died:
        lab.checks.note(f"missed {step}: strace is {'alive' if lab.alive('strace') else 'gone'}")
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
