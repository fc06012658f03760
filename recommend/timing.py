"""When a member will buy an item again: the chance per coming day, hence due day, best reminder day and confidence.

A pair (member, item) is forecast from its fourth purchase day on. A reminder on a day hits when the pair's next
purchase falls 1 … 7 days after it, and is cancelled by a purchase before or on it; its confidence is that chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recommend.hazard import Hazards, middle, survival
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.timing_features import (
    WEEK,
    Column,
    Events,
    Pool,
    Table,
    asked,
    design,
    gather,
    own_rhythm,
    pool_of,
    windows,
)

EPOCH = date(1970, 1, 1)
STEP_DAYS = 5
CUTS = 27
ROWS = 150_000
FIT_MEMBERS = 20_000
BLOCK = 5_000
FLOOR = 0.3


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of each asked pair when `day` begins; rows rise by (member, item).

    `member` and `item` are codes of the log; days are day numbers. `windows` is rows × 7: the chance that a reminder
    on `day`, `day` + 1, … hits. `due` is the median day of the next purchase among those within the horizon,
    `returns` the chance of one within it. `cycle` is the mean gap in days.
    """

    day: int
    member: Column
    item: Column
    last: Column
    count: Column
    cycle: Column
    due: Column
    returns: Column
    windows: NDArray[np.float32]
    pool: Pool

    def __len__(self) -> int:
        return len(self.member)

    @property
    def remind(self) -> Column:
        """The best day of the coming week for a reminder."""
        return np.asarray(self.day + self.windows.argmax(axis=1))

    @property
    def confidence(self) -> Column:
        """The chance that a reminder on the best day hits."""
        return np.asarray(self.windows.max(axis=1))

    def strongest(self, count: int) -> Column:
        """Return that many rows by falling confidence; ties keep their order."""
        return np.argsort(-self.confidence, kind="stable")[:count]

    def speaking(self, floor: float = FLOOR) -> Column:
        """Return the rows worth a reminder, most confident first: silent about those below the floor."""
        return self.strongest(int((self.confidence >= floor).sum()))

    def standing(self, log: PurchaseLog) -> NDArray[np.bool_]:
        """Whether each row's reminder still stands: no purchase of the pair in `log` on or after the forecast's day."""
        later = log.since(self.day)
        size = max(1, len(log.items))
        bought = later.member.astype(np.int64) * size + later.item
        return ~np.isin(self.member.astype(np.int64) * size + self.item, bought)

    def explain(self, row: int) -> str:
        """Return the sentence a member reads; day numbers count from 1970."""
        last = EPOCH + timedelta(days=int(self.last[row]))
        return f"上次 {last.month} 月 {last.day} 日,平均 {int(np.floor(self.cycle[row] + 0.5))} 天一次"


@dataclass(frozen=True, slots=True)
class TimingModel:
    """A fitted model: hazards of the wait for the next purchase. Predicting needs numpy only."""

    hazards: Hazards

    def forecast(self, log: PurchaseLog, day: int, pool: Pool | None = None) -> Forecast:
        """Forecast every asked pair from what was known when `day` began.

        `pool` is that of an earlier forecast of the whole shop, to ask about few members; without it at most
        FIT_MEMBERS members of the log speak for the shop. BadPurchases when nothing was bought before `day`.
        """
        if pool is None and len(log.members) > BLOCK:
            pool = _pool(log, day)
        parts = [self._block(Events.of(part), day, pool, first) for first, part in _blocks(log, day)]
        if not parts:
            raise BadPurchases(f"no purchases before day {day}")
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
        return Forecast(day=day, pool=parts[0].pool, **joined)

    def _block(self, events: Events, day: int, known: Pool | None, first: int) -> Forecast:
        ask = asked(events, day)
        table, pool = gather(events, ask, known)
        rows = np.arange(len(ask))
        weekday = np.stack([table[f"trip{ahead}"] for ahead in range(WEEK)], axis=1)
        surviving = survival(self.hazards.edges, self.hazards.chances(design(table, rows)), weekday)
        return Forecast(
            day=day, member=events.member[ask.last] + first, item=events.item[ask.last], last=events.day[ask.last],
            count=table["count"], cycle=table["mean"], due=day + middle(surviving), returns=1 - surviving[:, -1],
            windows=windows_of(surviving), pool=pool,
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the model as plain arrays, at the very path given."""
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **self.hazards.arrays())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a model; arrays only, no pickle. BadPurchases when it isn't one."""
        with np.load(path, allow_pickle=False) as stored:
            if set(stored.files) != {field.name for field in fields(Hazards)}:
                raise BadPurchases("not a timing model")
            return cls(Hazards(**{name: stored[name] for name in stored.files}))


_COLUMNS = ("member", "item", "last", "count", "cycle", "due", "returns", "windows")


def windows_of(surviving: Column) -> NDArray[np.float32]:
    """Return rows × 7: the chance that the wait ends 1 … 7 days after day 0, 1, … 6; shorter when the horizon is."""
    days = np.arange(max(1, min(WEEK, surviving.shape[1] - 1 - WEEK)))
    return np.asarray(surviving[:, days + 1] - surviving[:, days + 1 + WEEK], dtype=np.float32)


def fit(log: PurchaseLog, until: int, seed: int = 7) -> TimingModel:
    """Learn from what was known when day `until` began, on cuts each five days back from it.

    BadPurchases when there is too little: no pair with four purchase days, or hardly any bought again.
    """
    known = _sample(log).before(until)
    if not len(known):
        raise BadPurchases(f"no purchases before day {until}")
    events = Events.of(known)
    generator = np.random.default_rng(seed)
    columns, waits, followed = [], [], []
    for cut in _cuts(events, until):
        ask = asked(events, cut)
        if not len(ask):
            break
        table, _ = gather(events, ask)
        rows = _drawn(table, generator)
        columns.append(design(table, rows))
        waits.append(ask.wait[rows])
        followed.append(np.full(len(rows), until - cut))
    if not columns:
        raise BadPurchases("too little history: no member bought anything on four days")
    return TimingModel(Hazards.fit(np.concatenate(columns), np.concatenate(waits), np.concatenate(followed)))


def _cuts(events: Events, until: int) -> Iterator[int]:
    newest, earliest = until - WEEK - 1, int(events.day.min()) + WEEK
    yield from (cut for cut in range(newest, newest - STEP_DAYS * CUTS, -STEP_DAYS) if cut > earliest)


def _drawn(table: Table, generator: np.random.Generator) -> Column:
    """Draw rows without regard to the outcome, the often bought more often: the strongest are who is reminded."""
    chance = np.clip(table["bought56"], 0.5, 8.0)
    size = min(len(chance), ROWS // CUTS)
    return np.sort(generator.choice(len(chance), size, replace=False, p=chance / chance.sum()))


def _sample(log: PurchaseLog) -> PurchaseLog:
    """Return the log of every n-th member so that at most FIT_MEMBERS are left."""
    stride = -(-len(log.members) // FIT_MEMBERS)
    return log if stride <= 1 else log.of(log.members[::stride]).compact()


def _pool(log: PurchaseLog, day: int) -> Pool | None:
    known = _sample(log).before(day)
    if not len(known):
        return None
    events = Events.of(known)
    ask = asked(events, day)
    return pool_of(events, ask, own_rhythm(events, ask), windows(events, ask))


def _blocks(log: PurchaseLog, day: int) -> Iterator[tuple[int, PurchaseLog]]:
    for first in range(0, len(log.members), BLOCK):
        begin, end = np.searchsorted(log.member, (first, first + BLOCK))
        rows: Any = {name: getattr(log, name)[begin:end] for name in ("day", "item", "quantity", "amount")}
        part = replace(
            log, member=log.member[begin:end] - np.int32(first), members=log.members[first : first + BLOCK], **rows
        ).before(day)
        if len(part):
            yield first, part
