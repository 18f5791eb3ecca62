#!/usr/bin/env python3
"""libmip6/FOUNDING-TEXT.md: that each sentence has what mnd does and a test that exists; after a check that mistakes are
found.

usage: founding_text.py [SOURCE-FOLDER]
"""
import pathlib
import re
import sys
import tempfile

TABLE = "libmip6/FOUNDING-TEXT.md"
HEAD = ["sentence", "what mnd does", "test"]
# Sentences of the text that say something about keys, replay, ordering or authorisation: as many as there are rows, so
# that none gets lost.
SENTENCES = 61
SCENARIO = re.compile(r"`(tests/lab/scenarios/[^`/]+)`")
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


def check(root, sentences):
    """The number of rows of the page below `root`, and its mistakes as (sentence, text)."""
    count, mistakes = 0, []
    for number, line in enumerate((root / TABLE).read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or cells == HEAD or set("".join(cells)) <= set("-: "):
            continue
        if len(cells) != len(HEAD):
            mistakes.append((f"line {number}", f"{len(cells)} cells instead of {len(HEAD)}"))
            continue
        count += 1
        sentence, done, tests = cells
        if not sentence or not done or not tests:
            mistakes.append((sentence, "needs a sentence, what mnd does, and a test"))
            continue
        mistakes += [(sentence, found) for test in tests.split("<br>") if (found := mistake_of_test(root, test))]
    if count != sentences:
        mistakes.append(("", f"{count} sentences, not {sentences}"))
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
    count, mistakes = check(root, SENTENCES)
    for sentence, text in mistakes:
        print(f"{TABLE}: {sentence}: {text}", file=sys.stderr)
    if mistakes:
        sys.exit(1)
    print(f"{count} sentences, each with what is done and a test")


main()
