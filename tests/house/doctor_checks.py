#!/usr/bin/env python3
"""The doctor's table of checks with those of mip6ctl itself, and the list in mip6ctl(1), agree, in their order; after a
check that mistakes are found.

usage: doctor_checks.py [SOURCE-FOLDER]
"""
import pathlib
import re
import sys

TABLE = re.compile(r"kChecks\{\{\n(.*?)\n\}\};", re.DOTALL)
OWN = re.compile(r'\{"check", "([a-z0-9-]+)"\}')  # what mip6ctl itself looks at
ROW = re.compile(r'\{"([a-z0-9-]+)",')
MANUAL = re.compile(r"^The checks are:\n\.Bl.*?\n(.*?)^\.El$", re.MULTILINE | re.DOTALL)
# The second column of README.md's table of what one may see.
TROUBLE = re.compile(r"^\| (?!what you see)[^|]+ \| (`[^|]+) \| [^|]+ \|$", re.MULTILINE)
ITEM = re.compile(r"^\.It Sy ([a-z0-9-]+)\n(?=.)(?!\.It)", re.MULTILINE)  # with a text


def mistakes(source, resolvers, manual, readme):
    table, section = TABLE.search(source), MANUAL.search(manual)
    own = OWN.findall(resolvers)
    if not table or not section or not own:
        return ["a table of checks, or their list in the manual, is not where it was"]
    checks, described = ROW.findall(table[1]) + own, ITEM.findall(section[1])
    told = [name for row in TROUBLE.findall(readme) for name in re.findall("`([^`]+)`", row)]
    if not told or not set(told) <= set(checks):
        return [f"README.md's table of troubles has other checks than there are: {sorted(set(told) - set(checks))}"]
    if len(checks) == len(own) or checks != described:
        return [f"checks {checks} are described as {described}"]
    return []


def check_the_check():
    table = 'kChecks{{\n    {"a", f, k},\n    {"b-c", f, k},\n}};\n'
    own = 'json{{"check", "e"},'
    page = "The checks are:\n.Bl -tag\n.It Sy a\nOne.\n.It Sy b-c\nTwo.\n.It Sy e\nFive.\n.El\n"
    bad = [(table, own, page.replace("b-c", "d")), (table, own, page.replace(".It Sy a\nOne.\n", "")), (table, own, ""),
           ("", own, page), (table.replace('    {"a", f, k},\n', ""), own, page), (table, own, page.replace("Two.\n", "")),
           (table, "", page), (table, own, page.replace(".It Sy e\nFive.\n", "")), ("kChecks{{\n\n}};\n", own, page)]
    readme = "| what you see | what is found | what mends it |\n| so | `a`, then `e` | `that` |\n"
    bad = [(*one, readme) for one in bad] + [(table, own, page, ""), (table, own, page, readme.replace("`e`", "`f`"))]
    if mistakes(table, own, page, readme) or not all(mistakes(*one) for one in bad):
        sys.exit("the check is broken: it does not tell good from bad")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    files = ("mnd/doctor.cpp", "mnd/ctl/resolvers.cpp", "packaging/man/mip6ctl.1", "README.md")
    found = mistakes(*((root / name).read_text(encoding="utf-8") for name in files))
    for one in found:
        print(one, file=sys.stderr)
    sys.exit(1 if found else 0)


main()
