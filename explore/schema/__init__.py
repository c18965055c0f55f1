"""What the `.json` of each address holds; as JSON Schema in static/schema.json, by `python -m explore.schema --fix`.

Each class of `pages` is a page, of `parts` a part of several; /static/schema.json#/$defs/Search is the answer to
/search.json. Tests hold the pages' data against the classes, and the file against these.
"""

from explore.schema.pages import PAGES

__all__ = ["PAGES"]
