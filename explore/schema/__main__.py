"""`python -m explore.schema`: is static/schema.json what the classes say? --fix writes it."""

import json
import sys
from pathlib import Path

from pydantic.json_schema import models_json_schema

from explore.schema.pages import PAGES
from pipeline.running.utf8 import entry

FILE = Path(__file__).parents[1] / "static/schema.json"


def schema() -> str:
    """The JSON Schema of all pages."""
    refs, found = models_json_schema([(page, "validation") for page in PAGES.values()], title="Answers of make explore")
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "Each page's answer by its name in $defs.",
        "anyOf": [refs[page, "validation"] for page in PAGES.values()],
        **found,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Exit status 1 where the file is not what the classes say; --fix writes it."""
    if "--fix" in sys.argv[1:]:
        FILE.write_text(schema(), encoding="utf-8")
    same = FILE.exists() and FILE.read_text(encoding="utf-8") == schema()
    sys.stdout.write(f"{FILE}: {'as explore/schema says' if same else 'stale: python -m explore.schema --fix'}\n")
    return int(not same)


if __name__ == "__main__":
    entry(main)
