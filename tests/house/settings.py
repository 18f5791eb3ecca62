#!/usr/bin/env python3
"""Each setting of mnd.conf that is read is described in mnd.conf(5), and shown by mip6ctl config show; after a check that
mistakes are found.

usage: settings.py [SOURCE-FOLDER]
"""
import pathlib
import re
import sys

KEYS = re.compile(r"kKeys\{(.*?)\};", re.DOTALL)
EFFECTS = re.compile(r"^constexpr std::array.*?;", re.MULTILINE | re.DOTALL)  # what a change does shows nothing
WORD = re.compile(r'"([a-z0-9-]+)"')
FILES = ("mnd/config.cpp", "packaging/man/mnd.conf.5", "mnd/config_change.cpp")
# They stand for sections of interfaces, which are shown, or are only about whether another setting makes sense.
NOT_SHOWN = {"prefer", "exclude", "home-agent-prefix"}


def mistakes(source, manual, shown):
    table = KEYS.search(source)
    keys = WORD.findall(table[1]) if table else []
    if not keys:
        return ["the table of settings is not where it was"]
    items = re.findall(r"^\.It (.*)", manual, re.MULTILINE)
    found = [f"{key} is not described" for key in keys if not any(key in item.split() for item in items)]
    words = WORD.findall(EFFECTS.sub("", shown))
    return found + [f"{key} is not shown" for key in keys if key not in words and key not in NOT_SHOWN]


def check_the_check():
    source, manual, shown = 'kKeys{"a", "b-c", kX};', ".It Sy a No or Sy b-c\nText.\n", 'push({"a", x}); push({"b-c", y});'
    bad = [("", manual, shown), (source, ".It Sy a\nb-c\n", shown), (source, manual, 'push({"a", x});'),
           (source, manual, 'push({"a", x});\nconstexpr std::array<T, 1> kList{"b-c"};'), ("kKeys{};", "", "")]
    if mistakes(source, manual, shown) or not all(mistakes(*one) for one in bad):
        sys.exit("the check is broken: it does not tell good from bad")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    found = mistakes(*((root / name).read_text(encoding="utf-8") for name in FILES))
    for one in found:
        print(one, file=sys.stderr)
    sys.exit(1 if found else 0)


main()
