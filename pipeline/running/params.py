"""`params.yaml`, typed and refusing: an unknown key, a wrong type or a value out of range is a UserError that names it.

A stage asks for the keys that its dvc.yaml entry declares, `load("seed", "split")` or `load("images.encoder")`, and can
read no other: reading an undeclared one raises AttributeError, so DVC always knows what a stage depends on.
"""

import re
from collections.abc import Mapping, Sequence
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

_KIND = re.compile(r"(constrained-)?(int|float|str)$|(list|literal)\[")
"""What pydantic calls a kind, among the keys that lead to a value."""
_NAME = re.compile(r"\[[^]]*\]\+")
"""Letters of any number, in a pattern."""


def validate(path: Path = PARAMS) -> Params:
    """All of params.yaml. Raises UserError that names every key at fault, its value and what is expected."""
    return _validated(Params, path)


def paper_rows(path: Path = PAPER) -> dict[str, Lambdas]:
    """The rows of paper/params.yaml, by name. Raises UserError as `validate` does."""
    return _validated(Paper, path).rows


def _validated(kind: type[Section], path: Path) -> Section:
    try:
        values = _read(path)
    except YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, Mapping):
        raise UserError(f"{path} holds no keys; restore it with `git checkout {path}`.")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError("\n".join(f"{path}: {told}" for told in _sentences(error.errors()))) from None


def _read(path: Path) -> Any:
    try:
        return YAML(typ="safe").load(path)  # by libyaml, in a quarter of the time
    except YAMLError:
        return YAML(typ="safe", pure=True).load(path)  # whose sentence shows the line


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


def _sentences(errors: Sequence[Mapping[str, Any]]) -> list[str]:
    """One for each key at fault; of a key that may be of several kinds, what each of them expects.

    Where a list holds a wrong value, that is told, and not what could stand in the place of the list.
    """
    told: dict[str, list[Mapping[str, Any]]] = {}
    for error in errors:
        told.setdefault(_key(error["loc"]), []).append(error)
    return [_sentence(key, found) for key, found in told.items() if not any(k.startswith(f"{key}.") for k in told)]


def _key(place: Sequence[str | int]) -> str:
    """The key as params.yaml has it: pydantic also names, in between, which of several kinds a value was held for."""
    return ".".join(str(part) for part in place if not _KIND.match(str(part)))


def _sentence(key: str, errors: Sequence[Mapping[str, Any]]) -> str:
    error = errors[0]
    if error["type"] == "extra_forbidden":
        return f"{key} is not a known key; see the comments in params.yaml for those there are."
    if error["type"] == "missing":
        return f"{key} is missing."
    if error["type"] == "value_error":
        return (f"{key}: " if key else "") + str(error["msg"]).removeprefix("Value error, ") + "."
    if error["type"] == "string_type" and type(error["input"]) in (int, float):
        return (
            f"{key} is {error['input']!r}, which YAML takes for a number; put it in quotes: in params.yaml "
            f'"{error["input"]}", on the command line -S \'{key}="{error["input"]}"\'.'
        )
    value = "null" if error["input"] is None else repr(error["input"])
    return f"{key} is {value}; it has to be {', or '.join(dict.fromkeys(map(_expected, errors)))}."


def _expected(error: Mapping[str, Any]) -> str:
    about = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        forms = _NAME.sub("NAME", about["pattern"].strip("^$").strip("()")).split("|")
        return ("one of " if len(forms) > 1 else "of the form ") + ", ".join(forms)
    if error["type"] in ("too_short", "too_long"):
        least = error["type"] == "too_short"
        count = about["min_length" if least else "max_length"]
        return f"a list of at {'least' if least else 'most'} {count}; this one has {about['actual_length']}"
    return str(error["msg"]).removeprefix("Input should be ").replace("a valid list", "a list")
