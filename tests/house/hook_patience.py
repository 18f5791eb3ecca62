#!/usr/bin/env python3
"""All that NetworkManager's hook waits for takes 200 ms at most, by what is written there; after a check that more is found.

usage: hook_patience.py [SOURCE-FOLDER]
"""
import pathlib
import re
import sys

HOOK = "packaging/networkmanager/90-mnd"
MOST_MS = 200
COMMENT = re.compile(r"(?:^|\s)#.*", re.MULTILINE)
SETTING = re.compile(r"^(\w+)=([0-9.]+)$", re.MULTILINE)
WAIT = re.compile(r'\b(?:sleep|timeout) +"?([^\s"]+)')
ENDLESS = re.compile(r"(?:^|[;&|] *|\b(?:then|else|do|if|while) +)(?:wait|tail|mip6ctl)\b")  # without timeout


def mistakes(text):
    text = COMMENT.sub("", text)
    settings = {f"${name}": value for name, value in SETTING.findall(text)}
    # What ends in one & is in the background: nobody waits for it.
    lines = [line.strip() for line in text.splitlines() if not re.search(r"[^&]&\s*$", line)]
    waits = [settings.get(word, word) for line in lines for word in WAIT.findall(line)]
    found = [f"it is not clear how long it waits: {line}" for line in lines if ENDLESS.search(line)]
    found += [f"it waits for {word}, which is no number" for word in waits if not re.fullmatch(r"\d+(\.\d+)?", word)]
    if found:
        return found
    total = round(1000 * sum(map(float, waits)))
    return [] if 0 < total <= MOST_MS else [f"it waits {total} ms, not 1 to {MOST_MS}: {waits}"]


def check_the_check():
    good = 'patience=0.15 # s\ntimeout 10 mip6ctl network &\nif timeout "$patience" tail -f x; then\n  sleep 0.05 # more\nfi\n'
    bad = [good.replace("0.15", "0.16"), good.replace("0.05", "1"), good.replace(" &", ""), good.replace("$p", "$other"),
           good.replace('timeout "$patience" ', ""), good + "wait\n", good + "sleep 0.001 && wait\n",
           good.replace("timeout 10 ", "").replace(" &", ""), "# sleep 0.1\n", ""]
    if mistakes(good) or not all(mistakes(one) for one in bad):
        sys.exit("the check is broken: it does not tell good from bad")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    found = mistakes((root / HOOK).read_text(encoding="utf-8"))
    for one in found:
        print(f"{HOOK}: {one}", file=sys.stderr)
    sys.exit(1 if found else 0)


main()
