#!/usr/bin/env python3
"""The doctor's table of checks and its list in mip6ctl(1) agree, in their order; after a check that mistakes are found.

usage: doctor_checks.py [SOURCE-FOLDER]
"""
import pathlib
import re
import sys

TABLE = re.compile(r"kChecks\{\{\n(.*?)\n\}\};", re.DOTALL)
ROW = re.compile(r'\{"([a-z0-9-]+)",')
MANUAL = re.compile(r"^The checks are:\n\.Bl.*?\n(.*?)^\.El$", re.MULTILINE | re.DOTALL)
ITEM = re.compile(r"^\.It Sy ([a-z0-9-]+)\n(?=.)(?!\.It)", re.MULTILINE)  # with a text


def mistakes(source, manual):
    table, section = TABLE.search(source), MANUAL.search(manual)
    if not table or not section:
        return ["the table of checks, or its list in the manual, is not where it was"]
    checks, described = ROW.findall(table[1]), ITEM.findall(section[1])
    if not checks or checks != described:
        return [f"checks {checks} are described as {described}"]
    return []


def check_the_check():
    table = 'kChecks{{\n    {"a", f, k},\n    {"b-c", f, k},\n}};\n'
    page = "The checks are:\n.Bl -tag\n.It Sy a\nOne.\n.It Sy b-c\nTwo.\n.El\n"
    bad = [(table, page.replace("b-c", "d")), (table, page.replace(".It Sy a\nOne.\n", "")), (table, ""), ("", page),
           (table.replace('    {"a", f, k},\n', ""), page), (table, page.replace("Two.\n", ""))]
    if mistakes(table, page) or not all(mistakes(*one) for one in bad):
        sys.exit("the check is broken: it does not tell good from bad")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    found = mistakes((root / "mnd/doctor.cpp").read_text(encoding="utf-8"),
                     (root / "packaging/man/mip6ctl.1").read_text(encoding="utf-8"))
    for one in found:
        print(one, file=sys.stderr)
    sys.exit(1 if found else 0)


main()
