#!/usr/bin/env python3
"""libmip6/CONFORMANCE.md: that each rule has a file and a test that exist, or a reason; after a check that mistakes are
found.

usage: conformance.py [SOURCE-FOLDER]
"""
import pathlib
import re
import sys
import tempfile

TABLE = "libmip6/CONFORMANCE.md"
HEAD = ["id", "who", "rule", "where", "test", "note"]
WHO = {"MN", "HA", "both"}
REASON = re.compile(r"(not done|stricter|kernel): \S")
ID = re.compile(r"(4877-)?(\d+(?:\.\d+)*)-\d+[a-z]?")
NAME = re.compile(r"`([^`]+)`")
CASE = re.compile(r'`([^`]+)`: "(.+)"')
TEST_CASE = re.compile(r'\bTEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
# Rows of each section, counted in the RFCs: none gets lost.
ROWS = """6.1 3, 6.1.1 6, 6.1.2 2, 6.1.3 3, 6.1.4 2, 6.1.5 1, 6.1.6 1, 6.1.7 11, 6.1.8 3, 6.1.9 2, 6.2 1, 6.2.1 2,
6.2.3 1, 6.2.4 2, 6.3 7, 6.4 3, 6.4.1 4, 6.5 2, 6.6 1, 6.7 5, 6.8 10, 8.4 15, 8.5 17, 10.1 3, 10.2 1, 10.3.1 34,
10.3.2 10, 10.4.1 14, 10.4.2 8, 10.4.3 1, 10.4.5 2, 10.4.6 5, 10.5.1 10, 10.6.2 9, 10.6.3 6, 10.6.4 1, 11.1 3, 11.2 1,
11.3.1 9, 11.3.2 4, 11.3.3 3, 11.3.4 5, 11.3.5 4, 11.3.6 5, 11.4.1 6, 11.4.2 7, 11.4.3 8, 11.5.3 7, 11.5.4 5,
11.5.5 17, 11.7.1 23, 11.7.3 16, 11.7.4 3, 11.8 8, 12 9, 13 2, 15.3 3, 4877-3 1, 4877-4.1 5, 4877-4.2 8, 4877-4.3 10,
4877-4.4 2, 4877-5 1, 4877-7.3 3, 4877-7.4 1, 4877-8 2, 4877-9 3, 4877-10 1"""


def fewest_rows(text):
    return {section: int(count) for section, count in (entry.split() for entry in text.split(","))}


def rows(text):
    """The cells of each row, as {column: text}, and the lines that should be rows but are none."""
    found, broken = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells == HEAD or set("".join(cells)) <= set("-: "):
            continue
        if len(cells) == len(HEAD):
            found.append(dict(zip(HEAD, cells)))
        else:
            broken.append(f"line {number}: {len(cells)} cells instead of {len(HEAD)}")
    return found, broken


def cases(path):
    """The names of the test cases in a source file."""
    return {"".join(LITERAL.findall(found[1])) for found in TEST_CASE.finditer(path.read_text())}


def mistakes_of_test(root, test):
    if scenario := re.fullmatch(r"`(tests/lab/scenarios/[^`/]+)`", test):
        return [] if (root / scenario[1] / "scenario.py").is_file() else [f"there is no scenario {scenario[1]}"]
    named = CASE.fullmatch(test)
    if not named:
        return [f"cannot be read as a test: {test}"]
    if not (root / named[1]).is_file():
        return [f"there is no file {named[1]}"]
    return [] if named[2] in cases(root / named[1]) else [f'{named[1]} has no case "{named[2]}"']


def mistakes_of_row(root, row):
    """What is wrong with a row, as texts."""
    found = []
    if not ID.fullmatch(row["id"]):
        found.append("the id is not SECTION-NUMBER")
    if row["who"] not in WHO:
        found.append(f"who is one of {', '.join(sorted(WHO))}")
    if not row["rule"]:
        found.append("the rule is not told")
    for column in HEAD:
        if "TODO" in row[column]:
            found.append(f"still to be done: {row[column]}")
    if not (row["where"] and row["test"]) and not REASON.match(row["note"]):
        found.append("needs a file and a test, or a note that begins with 'not done:', 'stricter:' or 'kernel:'")
    for name in filter(None, row["where"].split(", ")):
        file = NAME.fullmatch(name)
        if not file or not (root / file[1]).is_file():
            found.append(f"there is no file {name}")
    for test in filter(None, row["test"].split("<br>")):
        found += mistakes_of_test(root, test)
    return found


def check(root, fewest):
    """The number of rows of the table below `root`, and its mistakes as (id, text)."""
    table, broken = rows((root / TABLE).read_text())
    mistakes = [("", text) for text in broken]
    seen, counts = set(), {}
    for row in table:
        mistakes += [(row["id"], text) for text in mistakes_of_row(root, row)]
        if row["id"] in seen:
            mistakes.append((row["id"], "the id is there twice"))
        seen.add(row["id"])
        section = row["id"].rpartition("-")[0]
        counts[section] = counts.get(section, 0) + 1
    for section, count in fewest.items():
        if counts.get(section, 0) < count:
            mistakes.append((section, f"section {section} has {counts.get(section, 0)} rows, not {count}"))
    return len(table), mistakes


# Rows without mistakes, and one mistake each; the id tells which should be found.
GOOD = """# Title
| id | who | rule | where | test | note |
| --- | --- | --- | --- | --- | --- |
| 1.1-1 | MN | a | `a.cpp`, `b.cpp` | `t.cpp`: "a case: \\"long\\" one"<br>`tests/lab/scenarios/s` | |
| 1.1-2a | HA | b | | | not done: no need |
| 4877-2-1 | both | c | | `tests/lab/scenarios/s` | kernel: it does so |
"""
BAD = """| 2-1 | MN | a | `missing.cpp` | `t.cpp`: "other" | |
| 2-2 | MN | a | `a.cpp` | `missing.cpp`: "other" | |
| 2-3 | MN | a | `a.cpp` | `t.cpp`: "a case" | |
| 2-4 | MN | a | `a.cpp` | `tests/lab/scenarios/missing` | |
| 2-5 | MN | a | `a.cpp` | some test | |
| 2-6 | MN | a | `a.cpp` | | |
| 2-7 | MN | a | | `t.cpp`: "other" | |
| 2-8 | MN | a | | | because |
| 2-9 | MN | a | | | not done: |
| 2-10 | CN | a | | | not done: no need |
| 2-11 | MN | | | | not done: no need |
| 2-12 | MN | a | | | not done: TODO |
| 2-13 | MN | a | a.cpp | `t.cpp`: "other" | |
| 2-14 | MN | a | `a.cpp` | `t.cpp`: "in a comment" | |
| 1.1-1 | MN | a | | | not done: no need |
| 2 | MN | a | | | not done: no need |
| 2-15 | MN | a | not done: no need |
"""
CASES = 'TEST_CASE("a case: \\"long\\" "\n          "one", "[tag]") {}\nTEST_CASE("other") {} // "in a comment"\n'


def check_the_check():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {TABLE: GOOD, "a.cpp": "", "b.cpp": "", "t.cpp": CASES,
                           "tests/lab/scenarios/s/scenario.py": ""}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        if (found := check(root, {"1.1": 2, "4877-2": 1})) != (3, []):
            sys.exit(f"the check is broken: in a good table it finds {found}")
        (root / TABLE).write_text(GOOD + BAD)
        found = {row for row, _ in check(root, {"1.1": 2, "3": 1})[1]}
    expected = {line.split("|")[1].strip() for line in BAD.splitlines()} - {"2-15"} | {"", "3"}
    if found != expected:
        sys.exit(f"the check is broken: of the planted mistakes it finds all but {sorted(expected ^ found)}")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    count, mistakes = check(root, fewest_rows(ROWS))
    for row, text in mistakes:
        print(f"{TABLE}: {row}: {text}", file=sys.stderr)
    if mistakes:
        sys.exit(1)
    print(f"{count} rules, each with a file and a test, or a reason")


main()
