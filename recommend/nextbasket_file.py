"""A next-basket model as a file of plain arrays, its settings beside them as JSON."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from recommend import model_file
from recommend.forest import Forest
from recommend.net import Net
from recommend.nextbasket import Learnt
from recommend.ranker import Calibration, Forests, Simple

KIND = "next_basket 6"
FORESTS = ("plain", "by_basket")


def save(learnt: Learnt, path: Path) -> str:
    """Write the model in one step and return its checksum (SHA-256, hex)."""
    simple, part = asdict(learnt.simple), None if np.isinf(learnt.part) else learnt.part
    plain = {name: getattr(learnt, name) for name in ("order_only", "levels", "seed", "names")}
    arrays: dict[str, Any] = {"about": np.array(json.dumps({"simple": simple, "part": part, **plain}))}
    if learnt.forests is not None:
        for which in FORESTS:
            for place, one in enumerate(getattr(learnt.forests, which)):
                arrays |= {f"{which}.{place}.{column.name}": getattr(one, column.name) for column in fields(one)}
        for place, net in enumerate(learnt.forests.nets):
            arrays |= {f"net.{place}.{column.name}": getattr(net, column.name) for column in fields(net)}
    if learnt.calibration is not None:
        arrays |= {"score": learnt.calibration.score, "probability": learnt.calibration.probability}
    return model_file.write(path, KIND, arrays)


def load(path: Path) -> Learnt:
    """Read a model back; BadModelFile when it is damaged or of another kind or version."""
    arrays = model_file.read(path, KIND)
    about = json.loads(str(arrays["about"]))
    forests = None
    if "plain.0.tree" in arrays:
        plain, by_basket = (_forests(arrays, which) for which in FORESTS)
        forests = Forests(plain, by_basket, _nets(arrays))
    calibration = Calibration(arrays["score"], arrays["probability"]) if "score" in arrays else None
    part = np.inf if about["part"] is None else about["part"]
    names, simple = tuple(about["names"]), Simple(**about["simple"])
    return Learnt(about["order_only"], about["levels"], about["seed"], names, forests, simple, part, calibration)


def _nets(arrays: Any) -> tuple[Net, ...]:
    many = sum(name.startswith("net.") and name.endswith(".ends") for name in arrays)
    return tuple(Net(**{of.name: arrays[f"net.{place}.{of.name}"] for of in fields(Net)}) for place in range(many))


def _forests(arrays: Any, which: str) -> tuple[Forest, ...]:
    many = sum(name.startswith(f"{which}.") and name.endswith(".tree") for name in arrays)
    found = []
    for place in range(many):
        columns = {column.name: arrays[f"{which}.{place}.{column.name}"] for column in fields(Forest)}
        found.append(Forest(**columns | {"base": float(columns["base"])}))
    return tuple(found)
