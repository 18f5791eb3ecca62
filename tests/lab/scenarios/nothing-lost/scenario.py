"""The home agent loses nothing: a clock that is set by a year in either direction while it is down ends no binding and
lengthens none; a disk that takes nothing any more, a damaged database and one of a newer version are told with a remedy,
nothing is acknowledged, what is bound goes on being served; a backup that is restored is trusted for no number."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import time

import common
import esp
import killing
import ordering
import prepared
import vici
from lab import HOME_ADDRESS, NODES, PATIENCE_FACTOR, RUN, ask, inside, load, program, run, wait_for

manual, numbers = load("manual"), load("numbers")

DISK = numbers.AGENT_DISK
BACKUP = RUN / "backup"
TUNNEL = "mip6ha"
YEAR = 365 * 86400
PAGE = 4096
NUMBERS, REQIDS = "SELECT sequence FROM bindings ORDER BY home_address", "SELECT * FROM nodes"
NEWER = 99  # a format of the database that is not there yet


def scenario(lab):
    NODES["mn2"]["manual_keys"] = common.make_keys("mn2")
    lab.state = numbers.DISK
    DISK.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(DISK))
    for namespace in ("ha", "mn"):
        lab.charon(namespace, wait=False)
    lab.agent_config()
    lab.node_config("mn2")
    done, said = manual.keys_are_new("mn2")
    lab.check("manual keys of the second node are taken as new", done, said)
    for namespace in ("ha", "mn"):
        lab.charon_ready(namespace)
    known = numbers.Watched(lab)
    lab.agent()
    lab.node("mn2")
    lab.node("mn")
    if not lab.check("a node with keys by IKE registers, and one with manual keys",
                     ordering.registers() and lab.wait_registered("mn2"), (ordering.node(), lab.status("mn2"))):
        return
    known.learn()
    export(lab)
    clocks(lab, known)
    disk_takes_nothing(lab, known)
    refuses_to_start(lab, known)
    restore(lab, known)
    manual_keys_after_it(lab)
    known.learn()
    ordering.check_numbers(lab, known.recorder.seen, known.known, "over all of it")


def home_agent(*arguments):
    """(exit status, what it said) of a mip6-ha that is to end by itself; None in place of the status if it does not."""
    try:
        done = inside("ha", lambda: subprocess.run([program("mip6-ha"), *map(str, arguments)], capture_output=True,
                                                   text=True, check=False, timeout=10 * PATIENCE_FACTOR))
    except subprocess.TimeoutExpired as hangs:
        return None, f"{hangs}: {hangs.stdout} {hangs.stderr}"
    return done.returncode, done.stdout + done.stderr


def rows(database, what):
    """What a database has that no home agent has open."""
    with contextlib.closing(sqlite3.connect(database)) as opened:
        return opened.execute(what).fetchall()


def held_of(node):
    """What the home agent holds for a node of the lab."""
    said = ask(RUN / "ha.control", "list").get("bindings", [])
    return next((one for one in said if one["home_address"] == NODES[node]["home_address"]), {})


def folder():
    """The home agent's files, and what is in them."""
    return {path.name: path.read_bytes() for path in DISK.iterdir()}


# --- a backup while it runs ---

def export(lab):
    held = held_of("mn")
    status, said = home_agent("export", BACKUP, "--socket", RUN / "ha.control")
    lab.check("a backup is made while the home agent runs, for root alone", status == 0 and str(BACKUP) in said and
              BACKUP.exists() and BACKUP.stat().st_mode & 0o777 == 0o600 and "agent.db.export" not in folder(),
              (status, said, sorted(folder())))
    kept = rows(BACKUP, NUMBERS)
    lab.check("it has the bindings of both nodes", len(kept) == 2 and kept[0] == (held["sequence"],), (kept, held))
    lab.check("and the home agent goes on", ordering.refresh() and lab.alive("ha") and
              ordering.ahead(held_of("mn")["sequence"], held["sequence"]) == 1, (held, held_of("mn")))


# --- the wall clock ---

def boot_time():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def end_of_binding():
    """What is held for the node, and between which times of the boot clock it ends, as it is told in whole seconds."""
    before, held = boot_time(), held_of("mn")
    left = held.get("lifetime_left") or 0
    return held, before + left, boot_time() + left + 1


def clocks(lab, known):
    granted = ordering.node()["lifetime_s"]
    # A lifetime that would begin anew must be another one than what is left.
    wait_for(lambda: held_of("mn")["lifetime_left"] <= granted - 4, 5)
    right, begin, keys = time.time() - boot_time(), len(known.recorder.seen), set(esp.keys("mn"))
    try:
        for years, what in ((1, "set forward by a year"), (-1, "set back by two years")):
            restarted_in_another_year(lab, right + years * YEAR, granted, f"the clock {what} while it is down")
            known.learn()
        # Where this took its time the kernel has ended keys by its wall clock, and there were others.
        lab.check("and that without a word from the node", keys and not [
            one for one in known.recorder.seen[begin:] if one.update and one.spi in keys], ordering.node())
    finally:
        time.clock_settime(time.CLOCK_REALTIME, right + boot_time())
    keys_of_this_year(lab, known)
    lab.check("the clock put right, the next update is accepted", ordering.refresh() and held_of("mn")["sequence"] ==
              ordering.node()["sequence"], (ordering.node(), held_of("mn")))


def keys_of_this_year(lab, known):
    """The kernel looks at its wall clock a second after an SA was made or moved: those of another year might end later on."""
    socket, old = lab.vici_socket("mn"), set(esp.keys("mn"))
    for sa in vici.ike_sas(socket):
        vici.ask(socket, "terminate", {"ike-id": sa["uniqueid"], "timeout": "-1"})
    wait_for(lambda: len(set(esp.keys("mn")) - old) == 2 and ordering.registered(), 15)
    known.learn()


def restarted_in_another_year(lab, difference, granted, what):
    """difference: between wall clock and boot clock."""
    before, earliest, latest = end_of_binding()
    lab.stop("ha", signal.SIGKILL)
    run("ip", "link", "del", TUNNEL, namespace="ha")  # as a boot would: nothing is served by what is still there
    time.clock_settime(time.CLOCK_REALTIME, difference + boot_time())
    started = boot_time()
    lab.agent()
    ordering.ready(lab)
    after, earliest_after, latest_after = end_of_binding()
    same = ("care_of", "sequence")
    lab.check(f"{what}: binding and number are there again", before["care_of"] and
              all(after.get(key) == before[key] for key in same) and held_of("mn2").get("care_of"), (before, after))
    lab.check(f"{what}: with what is left of the lifetime", earliest_after <= latest and earliest <= latest_after and
              latest < started + granted, (earliest, latest, earliest_after, latest_after, started, granted))
    lab.check(f"{what}: payload is served at once", lab.ping("cn", HOME_ADDRESS) >= 2)


# --- a disk that takes nothing ---

def disk_takes_nothing(lab, known):
    cannot_store(lab, known, "disk full", lambda: numbers.fill(DISK), lambda: numbers.make_room(DISK), "full",
                 "make room")
    # The kernel makes no file system read-only by request while a file is open for writing; a failing one does it itself.
    cannot_store(lab, known, "disk read-only under it", lambda: deny_writes(lab),
                 lambda: lab.stop("strace"), "Read-only file system", "neither read-only nor failing")


def deny_writes(lab):
    pid = lab.processes["ha"].pid
    lab.start("strace", "ha", "strace", "-qq", "-o", str(RUN / "strace.log"), "-e", "trace=pwrite64", "-e",
              "inject=pwrite64:error=EROFS", "-p", str(pid))
    lab.check("strace lets no write of the home agent succeed", wait_for(lambda: killing.traced(pid), 20, 0.01))


def cannot_store(lab, known, what, refuse, allow, words, remedy):
    def count(said):
        return said["refused"].get("130", 0)

    def statuses():
        return [m.status for m in ordering.opened(known.recorder.seen[begin:], known.known)[0] if m.status is not None]
    known.learn()
    (before, held), begin, log = ordering.agent(), len(known.recorder.seen), len(log_of_agent())
    refuse()
    ordering.node("refresh")
    wait_for(lambda: count(ordering.agent()[0]) > count(before) and 130 in statuses(), 20)
    lab.check(f"{what}: what is bound is served", lab.ping("cn", HOME_ADDRESS) >= 2)
    after, still_held = ordering.agent()
    lab.check(f"{what}: an update is refused with status 130, nothing is acknowledged", count(after) > count(before) and
              set(statuses()) == {130} and after["accepted"] == before["accepted"], (statuses(), before, after))
    lab.check(f"{what}: binding and number stay as they were", all(held[k] == still_held[k] for k in ("care_of", "sequence")),
              (held, still_held))
    trouble = lab.agent_status().get("trouble") or {}
    lab.check(f"{what}: status says what it is and what to do", words in trouble.get("what", "") and
              "agent.db" in trouble["what"] and remedy in trouble["remedy"], trouble)
    said = log_of_agent()[log:]
    lab.check(f"{what}: the log too", words in said and "agent.db" in said and remedy in said, said)
    allow()
    lab.check(f"{what}: once it is mended an update is accepted", ordering.refresh() and
              ordering.agent()[0]["accepted"] > before["accepted"] and ordering.agent()[1]["sequence"] ==
              ordering.node()["sequence"], (ordering.node(), ordering.agent()))


def log_of_agent():
    return (RUN / "ha.log").read_text(encoding="utf-8")


# --- a database that it cannot use ---

def refuses_to_start(lab, known):
    held, begin = held_of("mn"), len(known.recorder.seen)
    lab.stop("ha", signal.SIGKILL)
    database = prepared.agent_database(lab)
    rows(database, "PRAGMA wal_checkpoint(TRUNCATE)")  # all in one file, which is good again when it is put back
    good = database.read_bytes()
    lab.check("the database has several pages", len(good) > PAGE and list(folder()) == [database.name], sorted(folder()))
    database.write_bytes(good[:PAGE] + os.urandom(len(good) - PAGE))
    refuses(lab, "a damaged database", ("import BACKUP",))
    database.write_bytes(good)
    rows(database, f"PRAGMA user_version = {NEWER}")
    refuses(lab, "a database of a newer version", (f"it has format {NEWER}", "start the mip6-ha that wrote it"))
    database.write_bytes(good)
    numbers.read_only(DISK)
    refuses(lab, "a database on a read-only disk", ("neither read-only nor failing",))
    numbers.writable(DISK)
    lab.check("what is bound was served all the time", lab.ping("cn", HOME_ADDRESS) >= 2)
    lab.agent()
    ordering.ready(lab)
    lab.check("the database put back, the binding is there without a word from the node",
              all(held_of("mn").get(key) == held[key] for key in ("care_of", "sequence")) and
              not [one for one in known.recorder.seen[begin:] if one.update], (held, held_of("mn")))
    lab.check("and the next update is accepted", ordering.refresh(), ordering.node())


def refuses(lab, what, words):
    before = folder()
    status, said = home_agent("--config", RUN / "ha.conf")
    lab.check(f"{what}: it does not start, and names the file and what to do", status == 1 and
              str(prepared.agent_database(lab)) in said and all(one in said for one in words), (status, said))
    lab.check(f"{what}: nothing of it is changed", folder() == before, (sorted(before), sorted(folder())))


# --- a backup restored ---

def restore(lab, known):
    database = prepared.agent_database(lab)
    while_it_runs(lab, known)
    before, old = to_be_distrusted(lab, known)
    last = held_of("mn")["sequence"]
    lab.stop("ha", signal.SIGKILL)
    status, said = home_agent("--config", RUN / "ha.conf", "import", BACKUP)
    if not lab.check("a backup is imported while it is stopped", status == 0 and "agent.db.replaced" in folder(),
                     (status, said, sorted(folder()))):
        return
    replaced = DISK / "agent.db.replaced"  # with its log
    lab.check("reqids are as before, numbers and bindings are left out, and stay in what was replaced",
              len(rows(database, REQIDS)) == 2 and rows(database, REQIDS) == rows(replaced, REQIDS) and
              not rows(database, NUMBERS) and rows(replaced, NUMBERS)[0] == (last,),
              [rows(file, what) for file in (database, replaced) for what in (REQIDS, NUMBERS)])
    begin, no_states = len(known.recorder.seen), lab.xfrm_errors("ha").get("XfrmInNoStates", 0)
    lab.agent()
    ordering.ready(lab)
    ordering.send_again(old)
    renewed_after_it(lab, known, (before, old), (begin, no_states))


def to_be_distrusted(lab, known):
    """The SPIs of the node, and updates under them, the last of which never arrived."""
    withheld = known.withheld()
    lab.check("the home agent is well before the import", lab.alive("ha") and ordering.refresh(), ordering.node())
    known.learn()
    old = [one for one in known.recorder.updates() if one.packet not in known.lost][-4:] + [withheld]
    return set(esp.keys("mn")), old


def while_it_runs(lab, known):
    before, old = to_be_distrusted(lab, known)
    process, held, was = lab.processes["ha"].pid, held_of("mn"), folder()
    none = RUN / "none.backup"
    none.write_bytes(BACKUP.read_bytes()[:PAGE])
    status, said = home_agent("import", none, "--socket", RUN / "ha.control")
    lab.check("half a backup is refused while the home agent runs, and changes nothing", status == 1 and
              "another one" in said and set(esp.keys("mn")) == before and sorted(folder()) == sorted(was) and
              all(held_of("mn").get(key) == held[key] for key in ("care_of", "sequence")), (status, said, sorted(folder())))
    begin, no_states = len(known.recorder.seen), lab.xfrm_errors("ha").get("XfrmInNoStates", 0)
    status, said = home_agent("import", BACKUP, "--socket", RUN / "ha.control")
    names = NODES["mn"]["name"], NODES["mn2"]["name"]
    if not lab.check("a backup is imported while the home agent runs, which says of whom it makes keys anew and whom it "
                     "refuses", status == 0 and f"anew: 1 ({names[0]})" in said and f"others: 1 ({names[1]})" in said and
                     lab.alive("ha") and lab.processes["ha"].pid == process, (status, said)):
        return
    lab.check("what it replaced is kept beside, the copy of the backup is not", "agent.db.replaced" in folder() and
              not {"agent.db.import", "agent.db.new"} & set(folder()), sorted(folder()))
    ordering.send_again(old)
    renewed_after_it(lab, known, (before, old), (begin, no_states))
    wait_for(lambda: not held_of("mn2")["care_of"], 5)
    lab.check("and a node with manual keys is served no longer", not held_of("mn2")["care_of"] and any(
        "backup" in one["what"] for one in lab.agent_status().get("advice", [])), (held_of("mn2"), lab.agent_status()))


def renewed_after_it(lab, known, past, since):
    """past: see to_be_distrusted(). since: packets seen and errors counted before the home agent did it."""
    (before, old), (begin, no_states) = past, since
    back = wait_for(lambda: held_of("mn").get("care_of") and (ordering.registered() or {}).get("sequence") ==
                    held_of("mn")["sequence"], ordering.PATIENCE)
    lab.check("after the import the node is registered again by itself", back, (ordering.node(), held_of("mn")))
    known.learn()

    def accepted():
        return [m for m in ordering.opened(known.recorder.seen[begin:], known.known)[0] if m.status == 0]
    lab.check("after the import nothing is accepted under the old keys", wait_for(accepted, 5) and
              not [m for m in accepted() if m.spi in before], (before, accepted()))
    gone = wait_for(lambda: not before & set(esp.keys("mn")) and not before & set(esp.keys("ha")), ordering.PATIENCE, 0.2)
    lab.check("after the import the old SAs are gone at both ends", before and gone and esp.keys("mn"),
              (before, esp.keys("mn"), esp.keys("ha")))
    lab.check("updates from before the import, sent again when it starts: counted as without a state",
              lab.xfrm_errors("ha").get("XfrmInNoStates", 0) - no_states >= len(old), (len(old), no_states,
                                                                                       lab.xfrm_errors("ha")))
    known.refused(old, "updates from before the import, sent again under the new keys", "XfrmInNoStates")
    lab.check("after the import the node is served, and an update accepted", ordering.refresh() and
              lab.ping("cn", HOME_ADDRESS) >= 2, ordering.node())


def manual_keys_after_it(lab):
    def advised():
        return [one for one in lab.agent_status().get("advice", []) if f"node {NODES['mn2']['name']} is refused" in one["what"]]
    ask(RUN / "mn2.control", "refresh")
    trouble = wait_for(lambda: "prohibited" in lab.trouble("mn2")[0] and lab.trouble("mn2"), ordering.PATIENCE)
    lab.check("after the import a node with manual keys is refused, and told so", trouble and not held_of("mn2")["care_of"],
              (lab.status("mn2"), held_of("mn2")))
    lab.check("the home agent says why and asks for new keys", any("backup" in one["what"] and "--make-keys" in one["remedy"]
                                                                   for one in advised()), lab.agent_status())
    keys = esp.keys("mn")
    for name in ("mnd.mn2", "ha"):
        lab.stop(name, signal.SIGKILL)
    NODES["mn2"]["manual_keys"] = common.make_keys("mn2")
    lab.agent()
    lab.node("mn2")
    lab.check("with others it registers", lab.wait_registered("mn2") and not advised() and held_of("mn2")["care_of"],
              (lab.status("mn2"), lab.agent_status()))
    ordering.ready(lab)
    lab.check("at that start the other node keeps the keys that it has, and an update is accepted", ordering.refresh() and
              keys and esp.keys("mn") == keys, (keys, esp.keys("mn"), ordering.node()))
