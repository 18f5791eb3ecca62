"""What the programs really send, taken out of ESP, is read by another implementation without complaint: tshark finds no
malformed Mobility Header and the fields that were meant. OUT/opened.pcap keeps the messages."""

import subprocess

import common
import esp
from lab import HOME_ADDRESS, HOME_AGENT, OUT, RUN, program, wait_for
from spoof import forged

FIELDS = ["frame.number", "mip6.mhtype", "_ws.malformed", "_ws.expert.severity", "mip6.bu.seqnr", "mip6.bu.a_flag",
          "mip6.bu.h_flag", "mip6.bu.k_flag", "mip6.bu.lifetime", "mip6.ba.seqnr", "mip6.ba.status", "mip6.acoa.acoa",
          "ipv6.src", "mip6.csum", "mip6.be.status"]
UPDATE, ACKNOWLEDGEMENT, BINDING_ERROR = "5", "6", "7"
NO_MESSAGE = 42  # a Mobility Header type that nobody has defined


def refresh(lab):
    before = lab.status("mn")["sequence"]
    subprocess.run([program("mip6ctl"), "--socket", f"{RUN}/mn.control", "refresh"], check=False)
    return wait_for(lambda: lab.status("mn")["sequence"] != before and lab.registered_at("mn"), 5)


def scenario(lab):
    if not common.begin(lab):
        return
    known = {}

    def step(text, done):
        known.update(esp.keys("mn"))
        lab.check(text, done, lab.status("mn"))

    step("a registration is refreshed", refresh(lab))
    forged("cn", "unknown-type", source="2001:db8:f4::2", home_address=HOME_ADDRESS, agent=HOME_AGENT,
           sequence=NO_MESSAGE, care_of=HOME_AGENT)
    step("a move is registered", common.move_to(lab, "w1", "down", "w2"))
    step("the node comes home", common.move_to(lab, "wh", "up", None))
    step("the node leaves home", common.move_to(lab, "wh", "down", "w2"))
    lab.stop("mnd.mn")
    lab.stop_captures()

    path = OUT / "opened.pcap"
    count, unknown = esp.write_opened([lab.captures["wan"], lab.captures["home"]], path, known)
    lab.check("the keys of all messages are known", count and not unknown, (count, unknown))
    messages = dissected(lab, path)
    judge(lab, messages)


def dissected(lab, path):
    """A dictionary per message, by tshark's field names."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=|"]
    for field in FIELDS:
        command += ["-e", field]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    lab.check("tshark reads the capture", result.returncode == 0, result.stderr)
    return [dict(zip(FIELDS, line.split("|"))) for line in result.stdout.splitlines()]


def judge(lab, messages):
    of = {kind: [m for m in messages if m["mip6.mhtype"] == kind] for kind in (UPDATE, ACKNOWLEDGEMENT, BINDING_ERROR)}
    bad = [m for m in messages if m["_ws.malformed"] or m["_ws.expert.severity"] not in ("", "1048576", "2097152")]
    lab.check("no message is malformed", messages and not bad, bad[:3])
    updates, answers = of[UPDATE], of[ACKNOWLEDGEMENT]
    lab.check("one update is sent at home", [m for m in updates if m["ipv6.src"] == HOME_ADDRESS], updates)
    lab.check("there are updates and acknowledgements", len(updates) >= 4 and len(answers) >= 4, messages)
    lab.check("every update asks for an acknowledgement and is a home registration",
              all(m["mip6.bu.a_flag"] == "1" and m["mip6.bu.h_flag"] == "1" for m in updates), updates)
    lab.check("every update has K", all(m["mip6.bu.k_flag"] == "1" for m in updates), updates)
    away = [m for m in updates if m["ipv6.src"] != HOME_ADDRESS]
    lab.check("the alternate care-of address of updates from abroad is the packet's source",
              away and all(m["mip6.acoa.acoa"] == m["ipv6.src"] for m in away), away)
    lab.check("a de-registration has lifetime 0, all others have one", [m for m in updates if m["mip6.bu.lifetime"] == "0"]
              and [m for m in updates if m["mip6.bu.lifetime"] not in ("0", "")], updates)
    numbers = {m["mip6.bu.seqnr"] for m in updates}
    lab.check("acknowledgements carry the numbers of updates and say that they are accepted",
              all(m["mip6.ba.seqnr"] in numbers and m["mip6.ba.status"] == "0" for m in answers), answers)
    lab.check("an unknown type of message is answered by a Binding Error that says so",
              any(m["mip6.be.status"] == "2" for m in of[BINDING_ERROR]), of[BINDING_ERROR])
