"""The recipe `best`: its values in the place of those that the sections of params.yaml hold.

Kept apart from the schema of params: it decides which values are used, so stages that train depend on it.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.running.schema import Params


def by_recipe(params: Params) -> Params:
    """`params` with the sections as they are to be used: by `best`, its values in the place of theirs."""
    return with_values(params, dict(params.best)) if params.recipe == "best" else params


def with_values(params: Params, values: Mapping[str, Any]) -> Params:
    """`params` with `values` in the place of those of the same name in `model` or `train`, else of `words` or `images`.

    A section that is not held is left alone.
    """
    sections = {name: getattr(params, name) for name in ("model", "train", "words", "images") if hasattr(params, name)}
    owner = {key: name for name in reversed(sections) for key in type(sections[name]).model_fields}
    changed = {
        name: section.model_copy(update={key: value for key, value in values.items() if owner.get(key) == name})
        for name, section in sections.items()
    }
    return params.model_copy(update=changed)
