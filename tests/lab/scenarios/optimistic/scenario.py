"""Optimistic duplicate address detection (RFC 4429), which user-mode Linux lacks: asked for in mnd.conf, it has the node
registered before its new care-of address has been tested; and what the interfaces had before is put back."""

import re
from pathlib import Path

import common
import kernel
from lab import RUN, inside, program, run, wait_for

DAD = True
TRANSMITS = 5  # solicitations of a test, one each second
SECTIONS = '[interface "w2"]\noptimistic-dad = yes\n[interface "wh"]\nexclude = yes\noptimistic-dad = yes'
SETTINGS = ("optimistic_dad", "use_optimistic")


def scenario(lab):
    before = settings()
    lab.check("the kernel has it, and nobody uses it", before == [0] * 6, before)
    if not common.begin(lab, capture=False, extra=SECTIONS):
        return
    lab.check("mnd asks for it where that is configured, and nowhere else", wait_for(
        lambda: settings() == [0, 0, 1, 1, 0, 0], 10), settings())
    inside("mn", lambda: Path("/proc/sys/net/ipv6/conf/w2/dad_transmits").write_text(str(TRANSMITS), encoding="ascii"))
    kernel.set_link("mn", "w2", False)
    kernel.set_link("mn", "w2", True)
    kernel.set_link("mn", "w1", False)
    seen = wait_for(lambda: registered(lab), 30)
    lab.check("the node registers with an address whose test has just begun", seen and "optimistic" in seen, seen)
    lab.check("and stays when that has ended", wait_for(lambda: "optimistic" not in (registered(lab) or "optimistic"), 30),
              lab.status())
    configure("no")
    lab.check("a reload that does not ask for it any more puts back what was before", wait_for(
        lambda: settings() == before, 10), settings())
    configure("yes")
    lab.check("and one that does asks again", wait_for(lambda: settings() == [0, 0, 1, 1, 0, 0], 10), settings())
    common.stop_and_compare(lab)
    lab.check("what the interfaces had before is put back", settings() == before, settings())


def configure(wanted):
    config = RUN / "mn.conf"
    text = re.sub("optimistic-dad = .*", f"optimistic-dad = {wanted}", config.read_text(encoding="utf-8"))
    config.write_text(text, encoding="utf-8")
    run(program("mip6ctl"), "--socket", f"{RUN}/mn.control", "reload")


def settings():
    """Of w1, then of w2, then of wh, which is excluded."""
    return inside("mn", lambda: [int(Path(f"/proc/sys/net/ipv6/conf/{link}/{name}").read_text(encoding="ascii"))
                                 for link in ("w1", "w2", "wh") for name in SETTINGS])


def registered(lab):
    """What the kernel tells of the care-of address on w2 once the home agent has it; nothing before."""
    told = run("ip", "-n", "mn", "-6", "-o", "address", "show", "dev", "w2", "scope", "global")
    at = lab.registered_at()
    return next((line for line in told.splitlines() if at and at in line), None)
