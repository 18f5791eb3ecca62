#!/usr/bin/env python3
"""The doctor's table of checks with those of mip6ctl itself, and the list in mip6ctl(1), agree, in their order; so do the
modules and options of the kernel that are looked for, the list in README.md, and those that scenario doctor-long takes out.
After a check that mistakes are found.

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

NEEDED = re.compile(r"kModules\{\{(.*?)\}\};.*?kOptions\{(.*?)\};", re.DOTALL)
TOLD = re.compile(r"a kernel from [0-9.]+ on with\s([A-Z0-9_,\s]+) and\s([A-Z0-9_]+):")
TAKEN_OUT = re.compile(r"^MODULES = \((.*?)\)\nOPTIONS = \((.*?)\)$", re.MULTILINE | re.DOTALL)
OPTION_OF = {"mip6": "IPV6_MIP6", "xfrm_user": "XFRM_USER", "esp6": "INET6_ESP", "ip6_tunnel": "IPV6_TUNNEL"}  # or NET_...


def kernel_mistakes(machine, readme, scenario):
    needed, told, taken_out = NEEDED.search(machine), TOLD.search(readme), TAKEN_OUT.search(scenario)
    if not needed or not told or not taken_out:
        return ["a list of the kernel's modules and options is not where it was"]
    modules, options = re.findall(r'\{"([a-z0-9_]+)",', needed[1]), re.findall(r'"CONFIG_([A-Z0-9_]+)"', needed[2])
    wanted = sorted([OPTION_OF.get(one, f"NET_{one.upper()}") for one in modules] + options)
    listed = sorted(re.findall("[A-Z0-9_]+", told[1] + " " + told[2]))
    found = [] if wanted == listed else [f"of the kernel {wanted} is looked for, and README.md names {listed}"]
    for these, those in ((modules, re.findall('"([a-z0-9_]+)"', taken_out[1])),
                         (options, re.findall('"CONFIG_([A-Z0-9_]+)"', taken_out[2]))):
        if sorted(these) != sorted(those):
            found.append(f"of the kernel {these} is looked for, and doctor-long takes out {those}")
    return found


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
    machine = 'kModules{{{"esp6", "/esp6.ko"}, {"act", "/act.ko"}}};\nkOptions{"CONFIG_A",\n "CONFIG_B"};\n'
    readme = "a kernel from 6.1 on with INET6_ESP,\nNET_ACT, A and\nB: those of Debian"
    taken = 'MODULES = ("esp6", "act")\nOPTIONS = ("CONFIG_A", "CONFIG_B")\n'
    bad = [(machine.replace('{"act", "/act.ko"}', ""), readme, taken), (machine.replace('"CONFIG_A",', ""), readme, taken),
           (machine, readme.replace("NET_ACT, ", ""), taken), (machine, readme.replace("A and", "A, C and"), taken),
           (machine, readme, taken.replace(', "act"', "")), (machine, readme, taken.replace('"CONFIG_A", ', "")),
           ("", readme, taken), (machine, "", taken), (machine, readme, "")]
    if kernel_mistakes(machine, readme, taken) or not all(kernel_mistakes(*one) for one in bad):
        sys.exit("the check is broken: it does not tell good lists of the kernel from bad")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]

    def texts(*names):
        return ((root / name).read_text(encoding="utf-8") for name in names)
    found = mistakes(*texts("mnd/doctor.cpp", "mnd/ctl/resolvers.cpp", "packaging/man/mip6ctl.1", "README.md"))
    found += kernel_mistakes(*texts("mnd/linux/machine.cpp", "README.md", "tests/lab/scenarios/doctor-long/scenario.py"))
    for one in found:
        print(one, file=sys.stderr)
    sys.exit(1 if found else 0)


main()
