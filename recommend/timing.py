"""When a member will buy an item again: the chance per coming day, hence due day, best reminder day and confidence.

A pair (member, item) is forecast from its fourth purchase day on. A reminder on a day hits when the pair's next
purchase falls 1 … 7 days after it, and is cancelled by a purchase before or on it; its confidence is that chance.
In a log that knows only the order of baskets, a day is a basket of the member: each one's last was "yesterday".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recommend import model_file, wording
from recommend.hazard import HORIZON, RIDGES, Hazards, TooFew, middle, survival, usual_odds
from recommend.matrix import BadPurchases, PurchaseLog, aligned, is_order_only
from recommend.renewal import BgNbd
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
KIND = "timing 3"
AHEAD = 28


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
    bought: NDArray[np.float32]
    pool: Pool
    by_basket: bool = False

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
        """Whether each row's reminder still stands: no purchase of the pair in `log` on or after the forecast's day.

        BadPurchases where days are numbers of baskets: after a purchase such a log is forecast anew.
        """
        if self.by_basket:
            raise BadPurchases("baskets have no dates: forecast the longer log instead")
        later = log.since(self.day)
        size = max(1, len(log.items))
        bought = later.member.astype(np.int64) * size + later.item
        return ~np.isin(self.member.astype(np.int64) * size + self.item, bought)

    def explain(self, row: int) -> str:
        """Return the sentence a member reads; day numbers count from 1970."""
        cycle = max(1, int(np.floor(self.cycle[row] + 0.5)))
        if self.by_basket:
            return wording.cycle_of_orders(self.day - int(self.last[row]), cycle)
        return wording.cycle(EPOCH + timedelta(days=int(self.last[row])), cycle)


@dataclass(frozen=True, slots=True)
class TimingModel:
    """A fitted model: hazards of the wait for the next purchase, None where the plain renewal model does better."""

    hazards: Hazards | None
    renewal: BgNbd

    def forecast(self, log: PurchaseLog, day: int, pool: Pool | None = None) -> Forecast:
        """Forecast every asked pair from what was known when `day` began.

        `pool` is that of an earlier forecast of the whole shop, to ask about few members; without it at most
        FIT_MEMBERS members of the log speak for the shop. BadPurchases when nothing was bought before `day`.
        """
        parts = list(self.forecasts(log, day, pool))
        joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
        return replace(parts[0], **joined)

    def forecasts(self, log: PurchaseLog, day: int, pool: Pool | None = None) -> Iterator[Forecast]:
        """Yield the forecast of so many members after so many: what a shop of any size is scored with at night."""
        known, by_basket = known_before(log, day)
        if pool is None and len(known.members) > BLOCK:
            pool = _pool(known, day)
        for first, part in _blocks(known):
            yield replace(self._block(Events.of(part), day, pool, first), by_basket=by_basket)

    def _block(self, events: Events, day: int, known: Pool | None, first: int) -> Forecast:
        ask = asked(events, day)
        table, pool = gather(events, ask, known)
        surviving = self._surviving(table)
        return Forecast(
            day=day, member=events.member[ask.last] + first, item=events.item[ask.last], last=events.day[ask.last],
            count=table["count"], cycle=table["mean"], due=day + middle(surviving), returns=1 - surviving[:, -1],
            windows=windows_of(surviving), bought=-np.diff(surviving[:, : AHEAD + 1], axis=1), pool=pool,
        )  # fmt: skip

    def _surviving(self, table: Table) -> NDArray[np.float32]:
        plain = self.renewal.surviving(*_renewals(table), HORIZON)
        if self.hazards is None:
            return plain
        weekday = np.stack([table[f"trip{ahead}"] for ahead in range(WEEK)], axis=1)
        rows = np.arange(len(table["count"]))
        chances = self.hazards.chances(design(table, rows), usual_odds(plain))
        return survival(self.hazards.edges, chances, weekday)

    def save(self, path: Path) -> str:
        """Write the model as plain arrays behind a checksum, which is returned."""
        hazards = {} if self.hazards is None else self.hazards.arrays()
        return model_file.write(path, KIND, {"renewal": self.renewal.array(), **hazards})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a model; BadModelFile when it is damaged or isn't one."""
        stored = model_file.read(path, KIND)
        renewal = BgNbd(*stored.pop("renewal").tolist())
        return cls(Hazards(**stored) if stored else None, renewal)


_COLUMNS = ("member", "item", "last", "count", "cycle", "due", "returns", "windows", "bought")


def known_before(log: PurchaseLog, day: int) -> tuple[PurchaseLog, bool]:
    """Return what was known when `day` began, and whether its days are only numbers of baskets, then counted back.

    BadPurchases when nothing was bought before `day`.
    """
    known = log.before(day)
    if not len(known):
        raise BadPurchases(f"no purchases before day {day}")
    if not is_order_only(known):
        return known, False
    back = aligned(known)
    return replace(back, day=(back.day + day).astype(known.day.dtype)), True


def windows_of(surviving: Column) -> NDArray[np.float32]:
    """Return rows × 7: the chance that the wait ends 1 … 7 days after day 0, 1, … 6; shorter when the horizon is."""
    days = np.arange(max(1, min(WEEK, surviving.shape[1] - 1 - WEEK)))
    return np.asarray(surviving[:, days + 1] - surviving[:, days + 1 + WEEK], dtype=np.float32)


def fit(log: PurchaseLog, until: int, seed: int = 7) -> TimingModel:
    """Learn from what was known when `until` began; with little to learn from, forecast by renewal alone.

    Hazards need enough purchases in each span. In a shop too small to fill the draws the last two weeks, forecast
    without them, tell how far they may part from renewal, and whether at all. BadPurchases when no pair was bought on
    four days.
    """
    known, _ = known_before(_sample(log), until)
    ridge = RIDGES[0] if len(known) > ROWS else _ridge(known, until, seed)
    return _learnt(known, until, seed, ridge)


def _learnt(known: PurchaseLog, until: int, seed: int, ridge: float | None = RIDGES[0]) -> TimingModel:
    """Return hazards by this ridge, renewal alone where it is None or there is too little for them."""
    if not len(known):
        raise BadPurchases(f"no purchases before day {until}")
    events = Events.of(known)
    renewal = _renewal(events, until)
    if ridge is None:
        return TimingModel(None, renewal)
    try:
        return TimingModel(_Drawn.of(events, until, seed, renewal).hazards(ridge), renewal)
    except TooFew:
        return TimingModel(None, renewal)


def _renewal(events: Events, until: int) -> BgNbd:
    now = asked(events, until)
    if not len(now):
        raise BadPurchases("too little history: no member bought anything on four days")
    return BgNbd.fit(*_renewals(own_rhythm(events, now)))


def _ridge(known: PurchaseLog, until: int, seed: int) -> float | None:
    """Return the ridge whose chances of the last two weeks had the least log loss; None for that of renewal alone."""
    days = until - 2 * WEEK - 2, until - WEEK - 1
    try:
        events = Events.of(known.before(days[0]))
        renewal = _renewal(events, days[0])
        drawn = _Drawn.of(events, days[0], seed, renewal)
        tried = {ridge: TimingModel(drawn.hazards(ridge), renewal) for ridge in RIDGES}
    except BadPurchases:
        return None
    whole = Events.of(known)
    losses = {ridge: _loss(model, whole, days) for ridge, model in tried.items()}
    best = min(losses, key=lambda one: losses[one])
    return best if losses[best] < _loss(TimingModel(None, renewal), whole, days) else None


def _loss(model: TimingModel, events: Events, days: Sequence[int]) -> float:
    """Return the summed log loss of the chances that a reminder on each of these days hits."""
    lost = 0.0
    for day in days:
        ask = asked(events, day)
        if len(ask):
            chance = np.clip(model._block(events, day, None, 0).windows[:, 0], 1e-4, 1 - 1e-4)
            hit = (ask.wait >= 1) & (ask.wait <= WEEK)
            lost -= float(np.log(np.where(hit, chance, 1 - chance)).sum())
    return lost


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What hazards are learnt on: rows of pairs at cuts five days apart, their waits, the days each was followed."""

    columns: NDArray[np.float32]
    usual: NDArray[np.float32]
    wait: Column
    followed: Column

    @classmethod
    def of(cls, events: Events, until: int, seed: int, renewal: BgNbd) -> Self:
        """Draw at cuts back from `until`; TooFew when there is too little."""
        generator = np.random.default_rng(seed)
        parts: list[tuple[Column, ...]] = []
        for cut in _cuts(events, until):
            ask = asked(events, cut)
            if not len(ask):
                break
            table, _ = gather(events, ask)
            rows = _drawn(table, generator)
            count, last, age = (column[rows] for column in _renewals(table))
            plain = renewal.surviving(count, last, age, HORIZON)
            parts.append((design(table, rows), usual_odds(plain), ask.wait[rows], np.full(len(rows), until - cut)))
        if not parts:
            raise TooFew("too little history: nothing bought on four days a week ago")
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def hazards(self, ridge: float) -> Hazards:
        """Fit on them; TooFew when there is too little."""
        return Hazards.fit(self.columns, self.usual, self.wait, self.followed, ridge)


def _renewals(table: Table) -> tuple[Column, Column, Column]:
    return table["count"] - 1, table["age"] - table["elapsed"], table["age"]


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


def _pool(known: PurchaseLog, day: int) -> Pool:
    events = Events.of(_sample(known))
    ask = asked(events, day)
    return pool_of(events, ask, own_rhythm(events, ask), windows(events, ask))


def _blocks(known: PurchaseLog) -> Iterator[tuple[int, PurchaseLog]]:
    for first in range(0, len(known.members), BLOCK):
        begin, end = np.searchsorted(known.member, (first, first + BLOCK))
        if begin < end:
            rows: Any = {name: getattr(known, name)[begin:end] for name in ("day", "item", "quantity", "amount")}
            member = known.member[begin:end] - np.int32(first)
            yield first, replace(known, member=member, members=known.members[first : first + BLOCK], **rows)
