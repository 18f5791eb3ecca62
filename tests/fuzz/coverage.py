#!/usr/bin/env python3
"""Prints the line coverage of each source file in a summary of llvm-cov, and fails if all together are below a limit.

usage: coverage.py SUMMARY.json LEAST-PER-CENT
"""
import json
import pathlib
import sys


def main():
    summary = json.loads(pathlib.Path(sys.argv[1]).read_text())
    least = float(sys.argv[2])
    files = summary["data"][0]["files"]
    count = covered = 0
    for file in sorted(files, key=lambda f: f["filename"]):
        lines = file["summary"]["lines"]
        count += lines["count"]
        covered += lines["covered"]
        print(f"{lines['covered']:6} of {lines['count']:5} lines  {lines['percent']:6.2f} %  "
              f"{pathlib.PurePath(file['filename']).name}")
    if count == 0:
        sys.exit("no line of libmip6/wire is measured: looked in the wrong place")
    percent = 100 * covered / count
    print(f"{covered:6} of {count:5} lines  {percent:6.2f} %  all of libmip6/wire")
    if percent < least:
        sys.exit(f"less than {least:g} %: extend the corpus (tests/fuzz/corpus/README.md)")


main()
