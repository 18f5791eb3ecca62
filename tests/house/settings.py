#!/usr/bin/env python3
"""Settings and options of the programs are in their manuals and completions, and the other way round; mnd.conf(5) has an
example of each setting, and mip6ctl config show shows it; after a check that mistakes are found.

usage: settings.py [SOURCE-FOLDER]
"""
import pathlib
import re
import sys

WORD = re.compile(r'"([a-z0-9-]+)"')
EFFECTS = re.compile(r"^constexpr std::array.*?;", re.MULTILINE | re.DOTALL)  # what a change does shows nothing
# They stand for sections of interfaces, which are shown, or are only about whether another setting makes sense.
NOT_SHOWN = {"prefer", "exclude", "home-agent-prefix"}
CONSENT = re.compile(r'kConsentKey = "([a-z-]+)"')
ASKED = re.compile(r'\breader(?:\.\w+(?:<[^>]*>)?\(|, )\s*"([a-z-]+)"')  # what the home agent's reader is asked for
OPTIONS = re.compile(r'\(\s*"([a-z][a-z-]+)(?:,\w)?",')
POSITIONAL = {"command", "words"}
# Manual -> files with the options.
PROGRAMS = {
    "packaging/man/mnd.8": ("mnd/main.cpp",),
    "packaging/man/mip6ctl.1": ("mnd/ctl/command_line.cpp",),
    "packaging/man/mip6-ha.8": ("examples/home-agent/command_line.cpp", "examples/home-agent/admin_cli.cpp"),
}
# How a shell's completion names an option, and the programs that have one.
COMPLETIONS = {"bash": re.compile(r"--([a-z][a-z-]+)"), "zsh": re.compile(r"--([a-z][a-z-]+)"),
               "fish": re.compile(r" -l ([a-z][a-z-]+)")}
COMPLETED = {"mip6ctl": "packaging/man/mip6ctl.1", "mip6-ha": "packaging/man/mip6-ha.8"}


def arrays(source, *names):
    """The words of these tables; empty if one is not where it was."""
    found = [re.search(rf"{name}\{{(.*?)\}};", source, re.DOTALL) for name in names]
    return set(WORD.findall(" ".join(one[1] for one in found))) if all(found) else set()


def items(manual, macro):
    """Names of a manual's list items, several in one too: `.It Sy a , b No or Sy c`."""
    lines = re.findall(rf"^\.It {macro} (.*)", manual, re.MULTILINE)
    return {word for line in lines for word in line.split() if re.fullmatch(r"[a-z][a-z0-9-]+", word)} - {"or"}


def both_ways(what, there, described):
    return ([f"{what} {one} is not here" for one in sorted(there - described)] +
            [f"{what} {one} is here and nowhere else" for one in sorted(described - there)])


def settings(source, consent, manual, shown):
    keys = arrays(source, "kKeys") | set(CONSENT.findall(consent))
    sections = arrays(source, "kInterfaceKeys")
    if not keys or not sections:
        return ["the tables of settings are not where they were"]
    found = both_ways("setting", keys | sections, items(manual, "Sy"))
    found += [f"{key} has no example" for key in sorted(keys | sections)
              if not re.search(rf"^#?{key} += ", manual, re.MULTILINE)]
    words = WORD.findall(EFFECTS.sub("", shown))
    return found + [f"{key} is not shown" for key in sorted(arrays(source, "kKeys") - NOT_SHOWN) if key not in words]


def agent_settings(sources, consent, manual):
    return both_ways("setting", set(ASKED.findall(sources)) | arrays(sources, "kIkeKeys") | set(CONSENT.findall(consent)),
                     items(manual, "Ic"))


def given_options(sources):
    return {name for statement in re.findall(r"add_options\(\).*?;\n", sources, re.DOTALL)
            for name in OPTIONS.findall(statement)} - POSITIONAL


def options(sources, manual):
    return both_ways("option", given_options(sources), set(re.findall(r"(?<= )-([a-z][a-z-]+)", "\n".join(
        line for line in manual.splitlines() if re.search(r"\bFl\b", line)))))


def completed(sources, shell, completion):
    return both_ways("option", given_options(sources), set(COMPLETIONS[shell].findall(completion)))


def check_the_check():
    """With one mistake each, and without any."""
    source, consent = 'kKeys{"aa", "b-c", kX}; kInterfaceKeys{"dd"};', 'kConsentKey = "yes-sir";'
    manual = ".It Sy aa No or Sy b-c\n.It Sy dd\n.It Sy yes-sir\naa = 1\n#b-c = 2\ndd = 3\nyes-sir = 4\n"
    shown = 'push({"aa", x}); push({"b-c", y});'
    bad = [("", consent, manual, shown), (source, consent, manual.replace(" No or Sy b-c", ""), shown),
           (source, consent, manual + ".It Sy ee\n", shown), (source, consent, manual.replace("#b-c = 2", "b-c"), shown),
           (source, consent, manual, 'push({"aa", x});'), (source, "", manual, shown),
           (source, consent, manual, 'push({"aa", x});\nconstexpr std::array<T, 1> kList{"b-c"};')]
    asked = 'reader.find("aa"); reader.number<int>("b-c", 1); other.find("x"); f(reader, "dd"); kIkeKeys{"ee"};'
    agent = ".It Ic aa , b-c\n.It Ic yes-sir\n.It Ic dd , ee\n"
    given = 'add_options()("one", "of")("two,t", value("X"), "a; b");\nadd_options()("command", x);\nf("three", 3);\n'
    page = ".It Fl -one\n.Op Fl t , -two Ar x\n-three, in the text\n"
    shells = {"bash": 'options="x --one --two --three"', "zsh": "'--one[1]' '--two[2]:x:' '--three'",
              "fish": "complete -c x -l one -d '1'\ncomplete -c x -l two -x\ncomplete -c x -l three\n"}
    three = given.replace("f(", "all.add_options()(")
    good = settings(source, consent, manual, shown) + agent_settings(asked, consent, agent) + options(given, page)
    good += [one for shell, text in shells.items() for one in completed(three, shell, text)]
    told = [settings(*one) for one in bad] + [
        agent_settings(asked, consent, agent.replace("b-c", "c-b")), agent_settings("", consent, agent),
        options(given, page.replace("-two", "-too")), options(given, page.replace(".It Fl -one", ""))]
    told += [completed(three, shell, text.replace("two", wrong)) for shell, text in shells.items() for wrong in ("to", "")]
    if good or not all(told):
        sys.exit(f"the check is broken: it does not tell good from bad: {good} {told}")


def main():
    check_the_check()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]

    def read(*names):
        return "\n".join((root / name).read_text(encoding="utf-8") for name in names)
    consent, agent = read("ike-glue/method.hpp"), "packaging/man/mip6-ha.8"
    found = [("packaging/man/mnd.conf.5", one) for one in settings(
        read("mnd/config.cpp"), consent, read("packaging/man/mnd.conf.5"), read("mnd/config_change.cpp"))]
    found += [(agent, one) for one in agent_settings(
        read(*(f"examples/home-agent/config{name}.cpp" for name in ("", "_keys", "_watch"))), consent, read(agent))]
    found += [(manual, one) for manual, sources in PROGRAMS.items() for one in options(read(*sources), read(manual))]
    for program, manual in COMPLETED.items():
        for shell in COMPLETIONS:
            name = f"packaging/completions/{program}.{shell}"
            found += [(name, one) for one in completed(read(*PROGRAMS[manual]), shell, read(name))]
    for manual, one in found:
        print(f"{manual}: {one}", file=sys.stderr)
    sys.exit(1 if found else 0)


main()
