"""`params.yaml`, typed and refusing: an unknown key, a wrong type or a value out of range is a UserError that names it.

A stage asks for the keys that its dvc.yaml entry declares, `load("seed", "split")` or `load("images.encoder")`, and can
read no other: reading an undeclared one raises AttributeError, so DVC always knows what a stage depends on.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.running.errors import UserError
from pipeline.running.schema import Lambdas, Paper, Params

PARAMS = Path("params.yaml")
PAPER = Path("paper/params.yaml")

Section = TypeVar("Section", bound=BaseModel)


def validate(path: Path = PARAMS) -> Params:
    """All of params.yaml. Raises UserError that names every key at fault, its value and what is expected."""
    return _validated(Params, path)


def paper_rows(path: Path = PAPER) -> dict[str, Lambdas]:
    """The rows of paper/params.yaml, by name. Raises UserError as `validate` does."""
    return _validated(Paper, path).rows


def _validated(kind: type[Section], path: Path) -> Section:
    try:
        values = YAML(typ="safe", pure=True).load(path)
    except YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, Mapping):
        raise UserError(f"{path} holds no keys; restore it with `git checkout {path}`.")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError("\n".join(f"{path}: {_sentence(dict(e))}" for e in error.errors())) from None


def load(*keys: str, path: Path = PARAMS) -> Params:
    """Params that hold `keys` alone, top-level (`split`) or dotted (`images.encoder`)."""
    whole = validate(path)
    chosen: dict[str, Any] = {}
    for key in keys:
        section, _, field = key.partition(".")
        value = getattr(whole, section)
        if field:
            held = dict(chosen[section]) if section in chosen else {}
            chosen[section] = type(value).model_construct(**held, **{field: getattr(value, field)})
        else:
            chosen[section] = value
    return Params.model_construct(**chosen)


def _sentence(error: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{key} is not a known key; see the comments in params.yaml for those there are."
    if error["type"] == "missing":
        return f"{key} is missing."
    if error["type"] == "value_error":
        return (f"{key}: " if key else "") + str(error["msg"]).removeprefix("Value error, ") + "."
    if error["type"] == "string_type" and isinstance(error["input"], int | float):
        return (
            f"{key} is {error['input']!r}, which YAML takes for a number; put it in quotes: in params.yaml "
            f'"{error["input"]}", on the command line -S \'{key}="{error["input"]}"\'.'
        )
    expectation = str(error["msg"]).removeprefix("Input should be ")
    return f"{key} is {error['input']!r}; it has to be {expectation}."
