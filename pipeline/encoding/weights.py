"""Local files of weights: verified by SHA-256, and read so that nothing in them can run code."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.running.errors import UserError

if TYPE_CHECKING:
    import torch


def verified(path: Path, sha256: str | None, key: str) -> Path:
    """`path`, absolute, whose SHA-256 is `sha256`; `key` is the section of params.yaml that names it.

    Raises UserError where it cannot be read or is another file.
    """
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{key}.weights is {str(path)!r}, which cannot be read: {error.strerror}.") from error
    if found != sha256:
        raise UserError(f"{path} has SHA-256 {found}; {key}.weights_sha256 is {sha256}.")
    return path.absolute()


def local_state(path: Path, sha256: str | None) -> dict[str, Any]:
    """The tensors in a file of safetensors or of torch, after its checksum. Raises UserError for anything else."""
    import torch
    from safetensors.torch import load_file

    verified(path, sha256, "images")
    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:  # whatever a stranger's file makes the unpickler raise
        raise UserError(f"images.weights: {path} holds no weights that can be read safely: {_said(error)}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"images.weights: {path} is no table of tensors by name.")
    return state


def fill(network: "torch.nn.Module", state: dict[str, Any], name: str) -> None:
    """Put `state` into `network`, all of it. Raises UserError where it does not fit."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"images.weights does not fit {name}: {_said(error)}") from error


def _said(error: Exception) -> str:
    """The last line of what an error says: these begin with headings."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
