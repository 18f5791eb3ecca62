"""The JSON Schema files of mip6ctl, against what it really prints: nothing in it that they do not know."""

import json
import warnings

from lab import ROOT

FOLDER = ROOT / "mnd/ctl/schemas"


def strict(schema):
    """The same with no further members, which readers would ignore, and documents must have."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        found.setdefault("additionalProperties", False)
    return found


class Schemas:
    def __init__(self):
        self.all = {path.name: strict(json.loads(path.read_text(encoding="utf-8"))) for path in FOLDER.glob("*.json")}
        self.used = set()

    def mistakes(self, name, text):
        """What is wrong with each line of `text` by the schema `name`; one line at least."""
        import jsonschema
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schema = self.all[f"{name}.json"]
            resolver = jsonschema.RefResolver.from_schema(schema, store=self.all)
            validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
        self.used.add(f"{name}.json")
        found = [] if text.strip() else ["nothing was printed"]
        for line in text.splitlines():
            try:
                found += [f"{error.json_path}: {error.message}"[:300] for error in validator.iter_errors(json.loads(line))]
            except ValueError as error:
                found.append(f"no JSON: {error}: {line[:80]}")
        return found
