"""SIGKILL at a chosen step of a registration: strace stops the process at the entry of a system call and kills it there."""

import signal
import time
from collections import namedtuple
from pathlib import Path

from lab import RUN, wait_for

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
