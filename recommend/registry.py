"""Fitting, judging and keeping the models: a worse one than the current one on the newest days is not promoted.

Both are asked on the morning SPLIT days ago, by what was known then, and judged by what happened since. A candidate
is learnt before that morning, and the very model that was judged is kept; the current one was judged the same way on an
earlier morning, so neither has seen the days it is judged by.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from members import models
from members.db import Database
from members.models import Version
from recommend import nextbasket, nextbasket_file, timing
from recommend.books import Shelf, day_of
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.model_file import BadModelFile
from recommend.nextbasket import Learnt
from recommend.quality import basket_quality, timing_quality
from recommend.timing import TimingModel

SPLIT, JUDGED, SAMPLE, KEPT = 15, 4_000, 20_000, 8
SPARED_SECONDS = 86_400
NEXT_BASKET, TIMING = models.KINDS
Model = Learnt | TimingModel


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fit came to: the figures of candidate and current model on the same days, and whether it was promoted."""

    kind: str
    promoted: bool
    measures: Mapping[str, Any]
    why: str
    version: int | None = None

    def line(self) -> str:
        """Return the outcome in words."""
        return f"{models.NAMES[self.kind]}:{self.why}"


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where models are fitted: the folder of their files, the log of the books and what is told of its items."""

    folder: Path
    log: PurchaseLog
    shelf: Shelf
    today: int

    @property
    def parents(self) -> tuple[Any, Any]:
        """Return the types and categories of the log's items."""
        return self.shelf.type, self.shelf.category

    def sampled(self, most: int = SAMPLE) -> "Workshop":
        """Return the workshop with every n-th member, so that at most `most` are left: what models are fitted on."""
        stride = -(-len(self.log.members) // most)
        if stride <= 1:
            return self
        log = self.log.of(self.log.members[::stride]).compact()
        return replace(self, log=log, shelf=self.shelf.picked(np.searchsorted(self.log.items, log.items)))

    def by_category(self) -> PurchaseLog:
        """Return the log one level up."""
        return self.log.at_level(self.shelf.category)

    def fitted(self, kind: str, cut: int) -> Model:
        """Return a model of what was known on the morning of `cut`; BadPurchases when that is too little."""
        if kind == TIMING:
            return timing.fit(self.by_category(), cut)
        return nextbasket.fit(self.log, cut, parents=self.parents).learnt

    def judged(self, model: Model, cut: int) -> dict[str, float]:
        """Return the figures of a model asked at `cut`; empty when nothing came after it to judge by."""
        if isinstance(model, TimingModel):
            return timing_quality(model, self.by_category(), cut)
        placed = nextbasket.asked_at(model, self.log, cut, parents=self.parents)
        return basket_quality(placed, self.log, cut, most=JUDGED)


def worth(kind: str, figures: Mapping[str, float]) -> float:
    """Return the one figure that decides: Recall@10 · NDCG@10, or the share of reminders that hit; higher is better."""
    if kind == TIMING:
        return figures.get("hits", 0.0)
    return figures.get("recall", 0.0) * figures.get("ndcg", 0.0)


def refit(database: Database, shop: Workshop, kind: str, *, now: datetime) -> Outcome:
    """Fit a candidate, judge it beside the current model, register it; with too little to learn from, nothing is done.

    Fitting and judging happen outside any transaction; whoever calls has the night's turn (recommend/turn.py).
    """
    cut, part = shop.today - SPLIT, shop.sampled()
    try:
        candidate = part.fitted(kind, cut)
        measures: dict[str, Any] = {"candidate": part.judged(candidate, cut)}
    except BadPurchases:
        return Outcome(kind, False, {}, "购买记录还太少,先按次数推荐")
    with database.reading() as connection:
        old = models.current(connection, kind)
    better = True
    if old is not None:
        try:
            measures["current"] = part.judged(load(shop.folder, old), cut)
            better = worth(kind, measures["candidate"]) >= worth(kind, measures["current"])
        except (BadModelFile, BadPurchases, OSError) as error:
            measures["current_failed"] = type(error).__name__
    file, checksum = keep(shop.folder, kind, candidate, f"{day_of(cut).isoformat()}-{now:%Y%m%d%H%M%S%f}")
    with database.transaction() as connection:
        number = models.add(
            connection, kind, cut=day_of(cut), file=file, checksum=checksum, measures=measures, promoted=better, now=now
        )
        tidy(connection, shop.folder)
    figures = _figures(kind, measures["candidate"])
    before = f",现用的 {_figures(kind, measures['current'])}" if "current" in measures else ""
    return Outcome(kind, better, measures, f"{'启用' if better else '不如现用的,没有启用'}({figures}{before})", number)


def _figures(kind: str, figures: Mapping[str, float]) -> str:
    if not figures:
        return "没有可比的日子"
    if kind == TIMING:
        return f"提醒命中 {figures['hits']:.3f}"
    return f"召回 {figures['recall']:.4f} / NDCG {figures['ndcg']:.4f}"


def keep(folder: Path, kind: str, model: Model, mark: str) -> tuple[str, str]:
    """Write a model's file; return its name and checksum."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{mark}.npz"
    path = folder / name
    checksum = model.save(path) if isinstance(model, TimingModel) else nextbasket_file.save(model, path)
    return name, checksum


def load(folder: Path, version: Version) -> Model:
    """Read a registered model; BadModelFile for another file than was registered, OSError when it is gone."""
    path = folder / Path(version.file).name
    if path.read_bytes().partition(b"\n")[0].decode("ascii", "replace") != version.checksum:
        raise BadModelFile(f"{path.name}: not the file that was registered")
    return TimingModel.load(path) if version.kind == TIMING else nextbasket_file.load(path)


def tidy(connection: Connection, folder: Path) -> None:
    """Delete old files but of the newest KEPT of each kind, the current one, and the one a roll-back would take.

    Files of less than a day may be another process's that is about to register them.
    """
    kept = set()
    for kind in models.KINDS:
        versions = models.history(connection, kind)
        former = [version for version in versions if version.state == "former"][:1]
        kept |= {one.file for one in [*versions[:KEPT], *former, *(one for one in versions if one.state == "current")]}
    for path in folder.glob("*.npz"):
        old = time.time() - path.stat().st_mtime > SPARED_SECONDS
        if old and path.name not in kept and path.name.startswith(models.KINDS):
            path.unlink(missing_ok=True)


def current(connection: Connection, folder: Path, kind: str) -> Model | None:
    """Return the model in use, None when there is none or its file is lost or damaged."""
    version = models.current(connection, kind)
    if version is None:
        return None
    try:
        return load(folder, version)
    except (BadModelFile, OSError):
        return None


def lost(connection: Connection, folder: Path, kind: str) -> bool:
    """Tell whether a model is in use whose file is gone, damaged or of another version of this code."""
    return models.current(connection, kind) is not None and current(connection, folder, kind) is None
