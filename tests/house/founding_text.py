#!/usr/bin/env python3
"""libmip6/FOUNDING-TEXT.md and SECURITY.md: that each sentence, or threat, has what is done and a test that exists; after a
check that mistakes are found.

usage: founding_text.py [SOURCE-FOLDER]
"""
import pathlib
import re
import sys
import tempfile

TABLE = "libmip6/FOUNDING-TEXT.md"
# The heads of a page's tables, and how many rows these have, so that none gets lost: of the founding text its sentences that
# say something about keys, replay, ordering or authorisation.
PAGES = {TABLE: (["sentence", "what mnd does", "test"], 61), "SECURITY.md": (["threat", "what becomes of it", "test"], 21)}
SCENARIO = re.compile(r"`(tests/(?:lab|system)/scenarios/[^`/]+)`")
CASE = re.compile(r'`([^`]+)`: "(.+)"')
TEST_CASE = re.compile(r'\bTEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def cases(path):
    """The names of the test cases in a source file."""
    return {"".join(LITERAL.findall(found[1])) for found in TEST_CASE.finditer(path.read_text())}


def mistake_of_test(root, test):
    """What is wrong with one test, or None."""
    if scenario := SCENARIO.fullmatch(test):
        return None if (root / scenario[1] / "scenario.py").is_file() else f"there is no scenario {scenario[1]}"
    named = CASE.fullmatch(test)
    if not named:
        return f"cannot be read as a test: {test}"
    if not (root / named[1]).is_file():
        return f"there is no file {named[1]}"
    return None if named[2] in cases(root / named[1]) else f'{named[1]} has no case "{named[2]}"'


def check(root, rows, page=TABLE):
    """The number of rows of the page below `root`, and its mistakes as (sentence, text)."""
    head = PAGES[page][0]
    count, mistakes = 0, []
    for number, line in enumerate((root / page).read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or cells == head or set("".join(cells)) <= set("-: "):
            continue
        if len(cells) != len(head):
            mistakes.append((f"line {number}", f"{len(cells)} cells instead of {len(head)}"))
            continue
        count += 1
        sentence, done, tests = cells
        if not sentence or not done or not tests:
            mistakes.append((sentence, "needs a sentence, what mnd does, and a test"))
            continue
        mistakes += [(sentence, found) for test in tests.split("<br>") if (found := mistake_of_test(root, test))]
    if count != rows:
        mistakes.append(("", f"{count} rows, not {rows}"))
    return count, mistakes


GOOD = """# Title
| sentence | what mnd does | test |
| --- | --- | --- |
| one | so | `tests/lab/scenarios/s`<br>`t.cpp`: "a \\"case\\" one" |
"""
BAD = """| two | so | `tests/lab/scenarios/missing` |
| three | so | `t.cpp`: "other" |
| four | so | `missing.cpp`: "a case" |
| five | so | some test |
| six | | `tests/lab/scenarios/s` |
| seven | so | |
| eight | so |
"""


def check_the_check():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {TABLE: GOOD, "t.cpp": 'TEST_CASE("a \\"case\\" "\n"one") {}\n',
                           "tests/lab/scenarios/s/scenario.py": ""}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        if (found := check(root, 1)) != (1, []):
            sys.exit(f"the check is broken: in a good page it finds {found}")
        if any(not check(root, other)[1] for other in (0, 2)):
            sys.exit("the check is broken: it does not find a row too many or too few")
        (root / TABLE).write_text(GOOD + BAD)
        found = {sentence for sentence, _ in check(root, 9)[1]}
    if found != {"two", "three", "four", "five", "six", "seven", "line 11", ""}:
        sys.exit(f"the check is broken: of the planted mistakes it finds {sorted(found)}")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    wrong = False
    for page, (_, rows) in PAGES.items():
        count, mistakes = check(root, rows, page)
        for sentence, text in mistakes:
            print(f"{page}: {sentence}: {text}", file=sys.stderr)
        wrong = wrong or bool(mistakes)
        print(f"{page}: {count} rows")
    sys.exit(1 if wrong else 0)


main()
