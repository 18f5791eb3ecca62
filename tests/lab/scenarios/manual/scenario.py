"""Manual keys, with no charon anywhere: registered and moved under ESP with K clear, numbers that only go up, an end of
them; keys whose numbers nobody knows are refused at both ends, new ones work again."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import common
import esp
import leftovers
import ordering
import search
import wire
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, OUT, PATIENCE_FACTOR, RUN, inside, program, run, wait_for
from spoof import forged

K_FLAG = 0x10
K_FLAG_OF_ACKNOWLEDGEMENT = 0x80
HALF_SPACE = 32768
FEW_NODES = 20  # may have manual keys without advice
SETS_OF_KEYS = 4  # of `mn`, one after the other
KEYS, CHECKED = OUT / "keys", OUT / "checked.json"


def prepare():
    """Keys, and what `mnd --check` says of wrong ones: a process costs a tenth of what it costs in there."""
    KEYS.mkdir()
    for name in ("mn2", *(f"mn.{number}" for number in range(SETS_OF_KEYS))):
        common.make_keys(name, KEYS)
    CHECKED.write_text(json.dumps(list(checked())), encoding="utf-8")


def scenario(lab):
    lab.unused_keys = iter(sorted(KEYS.glob("mn.*.keys")))
    NODES["mn"]["manual_keys"] = installed(next(lab.unused_keys), "mn")
    NODES["mn2"]["manual_keys"] = installed(KEYS / "mn2.keys", "mn2")
    lab.captures = {link: lab.capture(link, *where, lab.MOBILITY) for link, where in lab.LINKS.items()}
    lab.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    lab.known = {}
    for what, right, said in json.loads(CHECKED.read_text(encoding="utf-8")):
        lab.check(what, right, said)
    first_start(lab)
    at = registered_and_moved(lab)
    secrets = search.of_esp("mn", "ha")
    restarts(lab, at)
    end_of_numbers(lab)
    no_key_is_told(lab, secrets)
    new_keys(lab, "after the end of the numbers")
    state_lost(lab)
    disk_refuses(lab)
    record_of_the_agent_lost(lab)
    common.stop_and_compare(lab)
    lab.check("there was no charon", not lab.vici_socket("mn").exists() and not lab.vici_socket("ha").exists())
    on_the_wire(lab)


def keys_are_new(node="mn"):
    """Both ends, which must be stopped, take the node's manual keys as never used; whether they did, what they said."""
    commands = [(node, [program("mnd"), "--config", str(RUN / f"{node}.conf"), "--keys-are-new"]),
                ("ha", [program("mip6-ha"), "--config", str(RUN / "ha.conf"), "--keys-are-new", NODES[node]["name"]])]
    done = [inside(where, lambda c=command: subprocess.run(c, capture_output=True, text=True, check=False))
            for where, command in commands]
    return all(one.returncode == 0 for one in done), "; ".join(one.stdout + one.stderr for one in done)


def installed(keys, node):
    """The node's key file, with these."""
    path = RUN / f"{node}.keys"
    path.unlink(missing_ok=True)
    path.touch(mode=0o640)
    path.write_text(keys.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def doctor():
    """(exit code, output) of mip6ctl for the node."""
    done = subprocess.run([program("mip6ctl"), "--socket", f"{RUN}/mn.control", "doctor"], capture_output=True,
                          text=True, check=False, timeout=5 * PATIENCE_FACTOR)
    return done.returncode, done.stdout + done.stderr


def findings(lab):
    """What it has to print, without the process."""
    return {one["check"]: f"{one['what']}; {one['remedy']}" for one in lab.status("mn", "doctor").get("findings", [])}


def checked():
    """(what, whether it is so, what was said)"""
    good = (KEYS / "mn2.keys").read_text(encoding="utf-8")

    def refusal(text, mode=0o640):
        path, config = OUT / "bad.keys", OUT / "bad.conf"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        config.write_text(f"home-address = {HOME_ADDRESS}/64\nhome-agent = {HOME_AGENT}\nkeying = manual\n"
                          f"manual-keys = {path}\n", encoding="utf-8")
        done = subprocess.run([program("mnd"), "--check", "--config", str(config)], capture_output=True, text=True,
                              check=False)
        return done.stderr if done.returncode == 2 else f"accepted: {done.stdout}"

    said = refusal(good)
    yield "mnd --check takes a good key file", said.startswith("accepted: "), said
    said = refusal(good, 0o644)
    yield "and refuses one that others can read", "mode 0644" in said and "chmod 0640" in said, said
    said = refusal(good.replace("aes-cbc", "aes-gcm"))
    yield "a counter mode too, with the reason", "counter mode" in said, said
    said = refusal(re.sub("(?m)^integrity-key = .*", "integrity-key = " + "ab" * 32, good))
    yield "and weak keys, without telling them", "is weak" in said and "abab" not in said, said


def first_start(lab):
    """Nobody has said yet that the keys are new: both ends refuse them."""
    lab.agent()
    lab.node("mn")
    trouble = wait_for(lambda: lab.trouble("mn")[0] and lab.trouble("mn"), 10) or ("", "")
    lab.check("keys without a record are not used, and status says why and what to do",
              "no record" in trouble[0] and "--make-keys" in trouble[1] and "--keys-are-new" in trouble[1], trouble)
    said = wait_for(lab.agent_status, 5)
    lab.check("the home agent says the same of the node",
              any("laptop is refused" in one["what"] and "--keys-are-new laptop" in one["remedy"]
                  for one in said.get("advice", [])), said)
    code, text = doctor()
    lab.check("so does the doctor", code == 1 and "manual-keys: " in text, text)
    lab.check("nothing was sent", lab.status("mn").get("counters", {}).get("updates_sent", 0) == 0)
    done, said = keys_are_new()
    lab.check("while they run neither takes them as new", not done and "mnd is running" in said, said)
    lab.stop("mnd.mn")
    lab.stop("ha")
    done, said = keys_are_new()
    lab.check("both take the keys as new when they are told so", done, said)


def start(lab, what, at=None, agent=True, extra=""):
    """Starts both, waits for the registration; the address."""
    if agent:
        lab.agent()
        wait_for(lab.agent_status, 5)  # who comes before it waits for a second
    lab.node("mn", extra)
    there = lab.wait_registered("mn", at, timeout=15)
    lab.known.update(esp.keys("ha"))
    lab.check(f"{what} the node registers", there, lab.status("mn"))
    return there


def stop(lab):
    return [lab.stop(name) for name in ("mnd.mn", "ha") if name in lab.processes]


def registered_and_moved(lab):
    at = start(lab, "with manual keys")
    said = lab.status("mn")
    lab.check("status names the method and no trouble",
              (said.get("keying") or {}).get("method") == "manual" and not said.get("last_error"), said)
    states = leftovers.snapshot("mn", lab.vici_socket("mn"))
    esp_states = [s for s in states if s.startswith("xfrm state") and "proto esp" in s]
    lab.check("two ESP states in transport mode with our reqid, without replay window",
              len(esp_states) == 2 and all("reqid 6275 mode transport" in s and "replay-window 0" in s and
                                           "auth-trunc hmac(sha256)" in s and "enc cbc(aes)" in s
                                           for s in esp_states), esp_states)
    code, text = doctor()
    lab.check("the doctor finds nothing", code == 0 and not findings(lab), text)
    too_many_moves(lab)
    lab.check("the home address is reachable", wait_for(lambda: lab.ping("cn", HOME_ADDRESS) >= 2, 5))
    hard = common.move_to(lab, "w1", "down", "w2")
    lab.check("a hard move is registered", hard, lab.status("mn"))
    soft = common.move_to(lab, "w1", "up", "w1")
    lab.check("a soft move is registered", soft, lab.status("mn"))
    home = common.move_to(lab, "wh", "up", None)
    lab.check("at home it de-registers, and keeps its SAs", home == HOME_ADDRESS and len(esp.keys("mn")) == 2,
              lab.status("mn"))
    away = common.move_to(lab, "wh", "down", "w1")
    lab.check("away again it registers under them", away, lab.status("mn"))
    lab.check("the home address is reachable after the moves", wait_for(lambda: lab.ping("cn", HOME_ADDRESS) >= 2, 5))
    forged_update(lab)
    run("ip", "-n", "mn", "xfrm", "state", "flush")
    lab.known.update(esp.keys("ha"))
    lab.status("mn", "refresh")
    back = wait_for(lambda: len(esp.keys("mn")) == 2 and lab.registered_at("mn"), 15, 0.3)
    lab.check("SAs that somebody flushed are there again", back, lab.status("mn"))
    return soft or at


def too_many_moves(lab):
    """One registration in the first hour is too many for a hundred years of manual keys."""
    lab.node_config("mn", "forecast-horizon = 36500")
    lab.status("mn", "reload")
    found = findings(lab)
    lab.check("where moves would use the numbers up the doctor finds that alone", set(found) == {"movement"} and
              "IKE should be used" in found["movement"] and "keying = ikev2" in found["movement"], found)
    lab.node_config("mn")
    lab.status("mn", "reload")
    lab.check("and nothing within the usual horizon", not findings(lab), findings(lab))


def forged_update(lab):
    counter = "XfrmInTmplMismatch"
    before, routes = lab.xfrm_errors("ha"), common.agent_route()
    begin = time.time()
    forged("cn", "update", source=CORRESPONDENT, home_address=HOME_ADDRESS, agent=HOME_AGENT,
           sequence=(lab.status("mn").get("sequence") or 0) + 1, care_of=CORRESPONDENT, count=3)
    time.sleep(0.3)
    lab.forged = (begin, time.time() + 0.1)
    after = lab.xfrm_errors("ha")
    lab.check(f"an update in the clear is refused, and counted as {counter}", routes and common.agent_route() == routes and
              after.get(counter, 0) - before.get(counter, 0) >= 3, f"{before} -> {after}")


def restarts(lab, at):
    number = lab.status("mn")["sequence"]
    lab.stop("mnd.mn", signal.SIGKILL)
    start(lab, "after SIGKILL", at, agent=False)
    after = lab.status("mn")["sequence"]
    lab.check("with a later number", number < after <= number + 65, f"{number} -> {after}")
    for name in ("ha", "mnd.mn"):
        lab.stop(name, signal.SIGKILL)
    start(lab, "after SIGKILL of both", at)
    lab.check("with a later number again", lab.status("mn")["sequence"] > after, lab.status("mn"))


def state_file():
    return next((RUN / "mn.state").glob("manual-*.json"))


def put_near_the_end(used):
    """The node's record says that so many numbers are used."""
    state = json.loads(state_file().read_text(encoding="utf-8"))
    state["reserved_until"] = (state["first_under_keys"] + used) % 65536
    state_file().write_text(json.dumps(state), encoding="utf-8")
    return state["first_under_keys"]


def advised(lab, words):
    return any(words in one["what"] and one["remedy"] for one in lab.status("mn").get("advice", []))


def log():
    return (RUN / "mnd.mn.log").read_text(encoding="utf-8")


def end_of_numbers(lab):
    for mark, percent, before in ((HALF_SPACE // 2, "(50 %)", set()),
                                  (HALF_SPACE * 9 // 10 + 1, "(90 %)", {"sequence-numbers"})):
        lab.stop("mnd.mn")
        put_near_the_end(mark - 3)
        start(lab, f"shortly before {percent} of the numbers are used", agent=False)
        lab.check("neither status nor log has it yet", not advised(lab, percent) and percent not in log(), lab.status("mn"))
        lab.check("the doctor has nothing new", set(findings(lab)) == before, findings(lab))
        for _ in range(6):
            if not advised(lab, percent):
                ordering.refresh()
        said = lab.status("mn")
        lab.check(f"at {percent} status warns, and nothing is wrong", advised(lab, percent) and not said.get("last_error"),
                  said)
        lab.check("log and events too", percent in log() and any(
            percent in one["text"] for one in lab.status("mn", "events")["events"]), log()[-600:])
        found = findings(lab)
        lab.check("the doctor has it, and nothing else", set(found) == {"sequence-numbers"} and
                  percent in found["sequence-numbers"] and "--make-keys" in found["sequence-numbers"], found)
    lab.stop("mnd.mn")
    first = put_near_the_end(HALF_SPACE - 4)
    # Movement beyond the horizon as well.
    start(lab, "with four numbers left", agent=False, extra="forecast-horizon = 36500")

    def acknowledged():
        return lab.status("mn")["counters"]["acknowledged"]
    for _ in range(8):
        if not lab.trouble("mn")[0]:
            before = acknowledged()
            lab.status("mn", "refresh")
            wait_for(lambda b=before: lab.trouble("mn")[0] or acknowledged() > b, 2, 0.02)
    said = wait_for(lambda: lab.trouble("mn")[0] and lab.status("mn"), 10) or {}
    error = said.get("last_error") or {}
    lab.check("past 2^15 numbers no update leaves, and status says what to do",
              "no sequence number is left" in error.get("what", "") and "new keys" in error.get("remedy", ""), said)
    lab.check("the last number is the last of the half space", said.get("sequence") == (first + HALF_SPACE) % 65536,
              said)
    told = lab.status("mn", "sequence")
    lab.check("mip6ctl sequence tells it all", told.get("used") == HALF_SPACE == told.get("limit") and
              told.get("last") == said.get("sequence") and told.get("method") == "manual" and
              {f["rate"] for f in told.get("forecast", [])} == {"present", "average", "highest", "every 10 minutes"},
              told)
    found = findings(lab)
    lab.check("the doctor finds that none is left, that no update leaves, and that IKE should be used",
              set(found) == {"sequence-numbers", "home-agent", "movement"} and "are used" in found["sequence-numbers"] and
              "no sequence number is left" in found["home-agent"] and "IKE should be used" in found["movement"], found)
    lab.check("status says that IKE should be used, too", advised(lab, "IKE should be used"), lab.status("mn"))


def no_key_is_told(lab, secrets):
    in_file = NODES["mn"]["manual_keys"].read_bytes()
    lab.check("the keys of the file are those to be looked for", search.looked_for(secrets, in_file), len(secrets))
    answers = b"".join(search.asked(RUN / f"{end}.control", request) for end in ("mn", "ha") for request in search.REQUESTS)
    lab.check("no control answer has one", len(answers) > 2000 and not search.looked_for(secrets, answers),
              f"{len(answers)} bytes, {search.looked_for(secrets, answers)}")
    search.check_logs_and_state(lab, secrets)


def new_keys(lab, what):
    stop(lab)
    installed(next(lab.unused_keys), "mn")
    return start(lab, f"{what}, with new keys on both ends,")


def refused(lab, what, says):
    sent = (lab.status("mn").get("counters") or {}).get("updates_sent", 0)
    said = wait_for(lambda: says in lab.trouble("mn")[0] and lab.status("mn"), 10) or lab.status("mn")
    error = said.get("last_error") or {}
    lab.check(f"{what}: not registered, and status says why and asks for new keys",
              says in error.get("what", "") and "new keys" in error.get("remedy", "") and
              not said.get("registered_at") and sent == 0, said)


def state_lost(lab):
    old = state_file().read_bytes()
    for what, spoil, says in (
            ("record deleted", lambda path: path.unlink(), "no record"),
            ("record cut short", lambda path: path.write_bytes(old[:60]), "damaged"),
            ("record of garbage", lambda path: path.write_bytes(os.urandom(200)), "damaged")):
        path = state_file()
        lab.stop("mnd.mn")
        spoil(path)
        lab.node("mn")
        refused(lab, what, says)
    lab.stop("mnd.mn")
    lab.node("mn")
    refused(lab, "and at the next start", "not known which sequence numbers")
    new_keys(lab, "after a loss")


def disk_refuses(lab):
    stop(lab)
    folder = RUN / "mn.state"
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    run("mount", "-t", "tmpfs", "-o", "size=64k", "state", str(folder))
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    with open(folder / "full", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            pass
    lab.agent()
    lab.node("mn")
    for what, words in (("full", "No space"), ("read-only", "Read-only")):
        if what == "read-only":
            run("mount", "-o", "remount,ro", str(folder))
        trouble = wait_for(lambda w=words: w in lab.trouble("mn")[0] and lab.trouble("mn"), 10) or lab.trouble("mn")
        lab.check(f"on a {what} disk nothing is sent and status says why", words in trouble[0] and
                  lab.status("mn")["counters"]["updates_sent"] == 0, trouble)
    run("mount", "-o", "remount,rw", str(folder))
    (folder / "full").unlink()
    lab.check("with room again the node registers by itself", lab.wait_registered("mn", timeout=15), lab.status("mn"))
    lab.stop("mnd.mn")
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    run("umount", str(folder))
    for name, content in kept.items():
        (folder / name).write_bytes(content)


def many_nodes():
    """As many more nodes with manual keys as make the home agent advise IKE."""
    text = NODES["mn2"]["manual_keys"].read_text(encoding="utf-8")
    for number in range(FEW_NODES - 1):
        path = RUN / f"more{number}.keys"
        path.touch(mode=0o640)
        anew = re.sub(r"(?<=key = )[0-9a-f]+", lambda match: os.urandom(len(match[0]) // 2).hex(), text)
        anew = re.sub(r"(?<=spi = 0x)[0-9a-f]+", lambda _: f"{0x1000 + int.from_bytes(os.urandom(3), 'big'):x}", anew)
        path.write_text(anew, encoding="utf-8")
        NODES[f"more{number}"] = {"name": f"more{number}", "home_address": f"2001:db8:1::{0x100 + number:x}",
                                  "manual_keys": path}


def advised_of_ike(lab):
    return [one for one in lab.agent_status().get("advice", []) if re.search("IKE should be used for so many", one["what"])]


def record_of_the_agent_lost(lab):
    lab.check("the home agent does not advise IKE for two nodes", lab.agent_status() and not advised_of_ike(lab))
    stop(lab)
    shutil.rmtree(RUN / "ha.state")
    many_nodes()
    lab.agent()
    lab.node("mn")
    said = wait_for(lambda: "prohibited" in lab.trouble("mn")[0] and lab.status("mn"), 10) or lab.status("mn")
    lab.check("a home agent that has lost the node's number refuses it", not said.get("registered_at") and
              "prohibited" in (said.get("last_error") or {}).get("what", ""), said)
    told = lab.agent_status()
    lab.check("and says so", any("laptop is refused" in one["what"] for one in told.get("advice", [])), told)
    lab.check("it routes nothing to it", not common.agent_route())
    text = run(program("mip6-ha"), "--socket", f"{RUN}/ha.control", "status", check=False)
    lab.check(f"with {FEW_NODES + 1} nodes of manual keys its status says that IKE should be used", advised_of_ike(lab) and
              advised_of_ike(lab)[0]["what"] in text and str(FEW_NODES + 1) in advised_of_ike(lab)[0]["what"], (told, text))
    text = run(program("mip6-ha"), "--socket", f"{RUN}/ha.control", "doctor", check=False)
    lab.check("so does its doctor", "IKE should be used for so many" in text, text)
    for name in [name for name in NODES if name.startswith("more")]:
        del NODES[name]
    new_keys(lab, "after the home agent's loss")


def flags_of_answers(lab):
    for at, frame in wire.records(lab.captures["wan"]):
        told = wire.parse(at, "wan", frame)
        if told and wire.is_acknowledgement(told, HOME_ADDRESS, HOME_AGENT):
            plain = esp.opened(frame[14:], lab.known)
            text = esp.message(plain) if plain else None
            if text and text[2] == ordering.ACKNOWLEDGEMENT:
                yield text[7]


def on_the_wire(lab):
    lab.stop_captures()
    sent = list(esp.updates(lab.captures["wan"], lab.known, HOME_AGENT))
    lab.check("updates were under ESP, under each set of keys", len(sent) > 20 and
              len({spi for spi, *_ in sent}) == SETS_OF_KEYS, f"{len(sent)} under {len({spi for spi, *_ in sent})}")
    lab.check("K was clear in every one of them", sent and not any(flags & K_FLAG for _, _, flags, _ in sent))
    answers = list(flags_of_answers(lab))
    lab.check("and in every acknowledgement", len(answers) > 20 and not any(flags & K_FLAG_OF_ACKNOWLEDGEMENT
                                                                         for flags in answers), answers)
    # Two different ESP packets with one number would be a repetition.
    forms = {}
    for spi, number, _, payload in sent:
        forms.setdefault((spi, number), set()).add(bytes(payload[:24]))
    twice = [key for key, different in forms.items() if len(different) > 1]
    lab.check("no number was used twice under one key", forms and not twice, twice[:5])
    packets = wire.packets(lab.captures)
    ike = [p for p in packets if wire.is_ike(p)]
    lab.check("no IKE packet was sent", not ike, ike[:3])
    found = common.clear(packets, [lab.forged])
    lab.check("not one mobility message of ours was in the clear", not found, found[:3])
