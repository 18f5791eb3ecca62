"""Another scenario as a module: for its helpers, or to run it with other figures (scenarios NAME-long)."""

import importlib.util

from lab import HERE


def of(name):
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), HERE / "scenarios" / name / "scenario.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
