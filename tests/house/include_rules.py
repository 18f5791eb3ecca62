#!/usr/bin/env python3
"""Who may include whom: checks every include of the project's folders, after a check that mistakes are found.

usage: include_rules.py [SOURCE-FOLDER]
"""
import pathlib
import re
import sys
import tempfile

STANDARD = r"<[a-z_0-9]+>|<tl/expected\.hpp>"  # a C header has a .h, a library's a slash
# The first rule whose beginning fits a file's path counts: what its includes may be.
RULES = [
    ("libmip6/address.cpp", rf'{STANDARD}|"libmip6/.*"|<(arpa/inet|netinet/in|sys/socket)\.h>'),
    ("libmip6/", rf'{STANDARD}|<boost/container/small_vector\.hpp>|"libmip6/.*"'),
    ("ike-glue/", r'<.*>|"ike-glue/.*"|"libmip6/(address|time|error|defect)\.hpp"'),
    ("mnd/linux/", r'<.*>|"mnd/linux/.*"|"libmip6/.*"'),
    ("mnd/ctl/", r'<.*>|"mnd/ctl/.*"|"mnd/linux/(unix_socket|descriptor|nearest_key|machine)\.hpp"'),
    ("mnd/", r'<.*>|"mnd/.*"|"libmip6/.*"|"ike-glue/.*"'),
    ("examples/home-agent/", r'<.*>|"examples/home-agent/.*"|"mnd/linux/.*"|"libmip6/.*"|"ike-glue/.*"'),
]
FOLDERS = ["libmip6", "ike-glue", "mnd", "examples/home-agent"]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]*[>"])', re.MULTILINE)
FEWEST_FILES = 40  # fewer: the check looked in the wrong place

# One mistake against each rule, and one file without.
PLANTED = {
    "libmip6/good.hpp": '#include <vector>\n#include <tl/expected.hpp>\n#include "libmip6/time.hpp"\n',
    "libmip6/wire/bad.cpp": "#include <sys/socket.h>\n",
    "libmip6/bad.cpp": '  #  include "mnd/config.hpp" // why\n',
    "ike-glue/bad.hpp": '#include "libmip6/sequence.hpp"\n',
    "mnd/linux/bad.cpp": '#include "ike-glue/vici.hpp"\n',
    "mnd/linux/bad2.cpp": '#include "mnd/config.hpp"\n',
    "mnd/ctl/bad.cpp": '#include "mnd/linux/xfrm.hpp"\n',
    "mnd/bad.cpp": '#include "examples/home-agent/agent.hpp"\n',
    "examples/home-agent/bad.cpp": '#include "mnd/config.hpp"\n',
}


def check(root):
    """The number of files below `root` and the includes that break a rule, as (file, text)."""
    files, mistakes = 0, []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.[hc]*")):
            if path.suffix not in (".hpp", ".cpp", ".h", ".c"):
                continue
            files += 1
            name = path.relative_to(root).as_posix()
            allowed = next(expression for beginning, expression in RULES if name.startswith(beginning))
            text = path.read_text()
            for found in INCLUDE.finditer(text):
                if not re.fullmatch(allowed, found[1]):
                    line = text.count("\n", 0, found.start(1)) + 1
                    mistakes.append((name, f"{name}:{line}: may not include {found[1]}"))
    return files, mistakes


def check_the_check():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in PLANTED.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        found = {name for name, _ in check(root)[1]}
    if found != {name for name in PLANTED if "bad" in name}:
        sys.exit(f"the check is broken: of the planted mistakes it finds {sorted(found)}")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    files, mistakes = check(root)
    for _, text in mistakes:
        print(text, file=sys.stderr)
    if files < FEWEST_FILES:
        sys.exit(f"only {files} source files below {root}")
    if mistakes:
        sys.exit(1)
    print(f"{files} files keep the include rules")


main()
