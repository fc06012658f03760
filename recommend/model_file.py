"""A model as a file: named arrays behind a checksum, never a pickle; written whole or not at all."""

from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


class BadModelFile(ValueError):
    """The file is damaged, holds objects, or is of another kind or version of model."""


def write(path: Path, kind: str, arrays: Arrays) -> str:
    """Write the arrays under a kind such as "timing 1" in one step; return their checksum (SHA-256, hex)."""
    packed = BytesIO()
    np.savez_compressed(packed, allow_pickle=False, kind=np.array(kind), **arrays)
    checksum = sha256(packed.getvalue()).hexdigest()
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(checksum.encode() + b"\n" + packed.getvalue())
    new.replace(path)
    return checksum


def read(path: Path, kind: str) -> dict[str, NDArray[Any]]:
    """Return the arrays; BadModelFile when the checksum or the kind doesn't fit, or an array holds objects."""
    checksum, _, packed = path.read_bytes().partition(b"\n")
    if sha256(packed).hexdigest().encode() != checksum:
        raise BadModelFile(f"{path.name}: the checksum does not fit")
    try:
        with np.load(BytesIO(packed), allow_pickle=False) as stored:
            found = {name: np.asarray(stored[name]) for name in stored.files}
    except (ValueError, BadZipFile) as error:
        raise BadModelFile(f"{path.name}: not plain arrays") from error
    if str(found.pop("kind", "")) != kind:
        raise BadModelFile(f"{path.name}: not a {kind} model")
    return found
