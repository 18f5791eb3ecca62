#!/usr/bin/env python3
"""Each block of commands in README.md is run by a test, or its programs take the options that it gives them and a test runs
them with others; after a check that mistakes are found.

usage: readme_commands.py [SOURCE-FOLDER]

A block (```sh) is the content of a file NAME.sh beside a scenario of tests/system that runs it. Or each of its lines is a
program of these sources in PROGRAMS, whose --help names the line's options.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A program of these sources: a file, and what is in it if a test runs the program or what that runs.
PROGRAMS = {
    "examples/demo.sh": ("tests/lab/scenarios/moves-agree/scenario.py", "moves.whole"),
    "tests/run.sh": ("tests/run.sh", "ctest "),
    "tests/simulation/run": ("tests/simulation/CMakeLists.txt", "COMMAND simulation-planted --plant all"),
    "tests/fuzz/run": ("tests/fuzz/CMakeLists.txt", "/run --preset dev --seconds"),
    "tests/lab/report": ("tests/lab/scenarios/report/scenario.py", "LAB_MOVES"),
    "tests/bench/run": ("tests/bench/CMakeLists.txt", "COMMAND mnd-bench"),
}


def scripts(root):
    """{content: file} of what scenarios run."""
    found = {}
    for file in root.glob("tests/system/scenarios/*/*.sh"):
        if f'"{file.name}"' in (file.parent / "scenario.py").read_text(encoding="utf-8"):
            found[file.read_text(encoding="utf-8")] = file
    return found


def mistake_of_line(root, line):
    """What is wrong with one line of a block, or None."""
    program, *words = line.partition("#")[0].split()
    if program not in PROGRAMS:
        return "no test runs it"
    file, what = PROGRAMS[program]
    if not (root / file).is_file() or what not in (root / file).read_text(encoding="utf-8"):
        return f"there is no '{what}' in {file}"
    asked = subprocess.run([root / program, "--help"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    known = re.findall(r"--[a-z-]+", asked.stdout)
    missing = [word for word in words if word.startswith("-") and word not in known]
    if asked.returncode != 0 or missing:
        return f"--help of it says nothing of {missing}" if missing else f"--help ends with {asked.returncode}"
    return None


def check(root):
    """Blocks below `root`, and mistakes as (line, text)."""
    blocks = BLOCK.findall((root / "README.md").read_text(encoding="utf-8"))
    run = scripts(root)
    mistakes = [("", "there is no block")] if not blocks else []
    for block in blocks:
        if block not in run:
            mistakes += [(line, found) for line in block.splitlines() if (found := mistake_of_line(root, line))]
    for content, file in run.items():
        if content not in blocks:
            mistakes.append((str(file.relative_to(root)), "README.md has no such block any more"))
    return len(blocks), mistakes


def check_the_check():
    good = "```sh\none\ntwo\n```\n\n```sh\ntests/run.sh --long  # some\n```\n"
    bad = "```sh\nrm -rf /\n```\n```sh\ntests/run.sh --loud\n```\n```sh\ntests/fuzz/run\n```\n"
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {"README.md": good, "tests/system/scenarios/s/one.sh": "one\ntwo\n",
                           "tests/system/scenarios/s/unused.sh": "three\n",
                           "tests/system/scenarios/s/scenario.py": 'x("one.sh")',
                           "tests/run.sh": "#!/bin/sh\necho --long  # ctest -L\n"}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        (root / "tests/run.sh").chmod(0o755)
        if (found := check(root)) != (2, []):
            sys.exit(f"the check is broken: in a good page it finds {found}")
        (root / "README.md").write_text(good.replace("two", "2") + bad, encoding="utf-8")
        found = {line for line, _ in check(root)[1]}
    wanted = {"one", "2", "rm -rf /", "tests/run.sh --loud", "tests/fuzz/run", "tests/system/scenarios/s/one.sh"}
    if found != wanted:
        sys.exit(f"the check is broken: of the planted mistakes it finds {sorted(found)}")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    count, mistakes = check(root)
    for line, text in mistakes:
        print(f"README.md: {line}: {text}", file=sys.stderr)
    if mistakes:
        sys.exit(1)
    print(f"{count} blocks of commands, each run by a test")


main()
