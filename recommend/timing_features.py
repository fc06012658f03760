"""What is known about a pair (member, item) when a day begins, as numbers: nothing of that day or later is read.

A pair is asked about from its fourth purchase day on (one purchase a day). Ages and gaps are days; "trips" are the
member's shopping days. Decays are half-lives: weight 2^(−age/half-life).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recommend.matrix import BadPurchases, PurchaseLog

Column = NDArray[Any]
Table = dict[str, Column]
MIN_DAYS = 4
WEEK = 7
PROFILE_HALF_LIFE = 56.0
GAP_DECAY = 0.85
NEVER = 1 << 30
SUPPLY_DAYS = 60
POOL = ("trend", "trend_slow", "popularity", "spread", "cycle", "activity")


@dataclass(frozen=True, slots=True)
class Events:
    """Purchases rising by (member, item, day) and shopping trips rising by (member, day), with running sums.

    `trip` is the ordinal of a purchase's trip among the member's; `start` the first event of each pair.
    """

    member: Column
    item: Column
    day: Column
    quantity: Column
    trip: Column
    start: Column
    pair: Column
    trip_member: Column
    trip_day: Column
    trip_start: Column
    trip_lines: Column
    items: Column

    @property
    def members(self) -> int:
        """Number of member codes."""
        return len(self.trip_start) - 1

    @classmethod
    def of(cls, log: PurchaseLog) -> Self:
        """Return the events of a log net of returns; BadPurchases when it is empty."""
        if not len(log):
            raise BadPurchases("no purchases")
        if (log.quantity <= 0).any():
            raise BadPurchases("returns among the purchases: take log.before(day) first")
        trips = np.ones(len(log), dtype=np.bool_)
        trips[1:] = (log.member[1:] != log.member[:-1]) | (log.day[1:] != log.day[:-1])
        number = np.cumsum(trips) - 1
        trip_member = log.member[trips].astype(np.int64)
        trip_start = np.searchsorted(trip_member, np.arange(len(log.members) + 1))
        order = np.lexsort((log.day, log.item, log.member))
        member, item = log.member[order].astype(np.int64), log.item[order].astype(np.int64)
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = (member[1:] != member[:-1]) | (item[1:] != item[:-1])
        return cls(
            member=member, item=item, day=log.day[order].astype(np.int64), quantity=log.quantity[order].astype(float),
            trip=number[order] - trip_start[member], start=np.flatnonzero(first), pair=np.cumsum(first) - 1,
            trip_member=trip_member, trip_day=log.day[trips].astype(np.int64), trip_start=trip_start,
            trip_lines=np.bincount(number), items=log.items,
        )  # fmt: skip

    def count_before(self, day: int) -> Column:
        """Return how many purchases each pair had when the day began."""
        return np.bincount(self.pair[self.day < day], minlength=len(self.start))

    def trips_before(self, day: int) -> Column:
        """Return how many trips each member had made when the day began."""
        return np.bincount(self.trip_member[self.trip_day < day], minlength=self.members)


@dataclass(frozen=True, slots=True)
class Asked:
    """The pairs asked about on a day: positions of their first and last known event, and the next day if any.

    `wait` is days from `day` to the next purchase (0 = that very day), NEVER when the events hold none.
    """

    day: int
    pair: Column
    first: Column
    last: Column
    wait: Column

    def __len__(self) -> int:
        return len(self.pair)


def asked(events: Events, day: int) -> Asked:
    """Return the pairs with at least four purchase days before `day`, in the order of the events."""
    count = events.count_before(day)
    pair = np.flatnonzero(count >= MIN_DAYS)
    first = events.start[pair]
    last = first + count[pair] - 1
    after = np.minimum(last + 1, len(events.day) - 1)
    again = (events.pair[after] == pair) & (after > last)
    return Asked(day, pair, first, last, np.where(again, events.day[after] - day, NEVER))


def own_rhythm(events: Events, ask: Asked) -> Table:
    """Return the pair's own gaps: count, elapsed, mean, spread, quartiles, recent mean, own hazard, last three."""
    count = ask.last - ask.first + 1
    elapsed = ask.day - events.day[ask.last]
    gaps = np.diff(events.day, prepend=0)
    place, row = _events_of(ask)
    gap = gaps[place]
    total = _sum(row, len(ask))
    mean = total(gap) / (count - 1)
    weight = GAP_DECAY ** (ask.last[row] - place)
    still = weight * (gap > elapsed[row])
    order = np.lexsort((gap, row))
    ranked, begin, more = gap[order], np.cumsum(count - 1) - (count - 1), count - 2
    found: Table = {
        "count": count, "elapsed": elapsed, "age": ask.day - events.day[ask.first], "mean": mean,
        "spread": np.sqrt(total((gap - mean[row]) ** 2) / (count - 1)),
        "median": (ranked[begin + more // 2] + ranked[begin + (more + 1) // 2]) / 2,
        "low": ranked[begin + more // 4], "high": ranked[begin + (3 * more + 3) // 4],
        "recent": total(weight * gap) / total(weight),
        "at_risk": total(still),
        "own_hazard": (total(still * (gap <= elapsed[row] + WEEK)) + 0.2) / (total(still) + 0.8),
    }  # fmt: skip
    for back in (1, 2, 3):
        found[f"gap{back}"] = gaps[ask.last - back + 1]
    return found


def windows(events: Events, ask: Asked) -> Table:
    """Return on how many of the last 7 … 182 days the pair was bought."""
    place, row = _events_of(ask, whole=True)
    age = ask.day - events.day[place]
    return {f"bought{days}": np.bincount(row[age <= days], minlength=len(ask)) for days in (7, 14, 28, 56, 91, 182)}


def in_trips(events: Events, ask: Asked) -> Table:
    """Return the rhythm counted in the member's trips, and the last quantity against the usual one.

    `supply`: the days the last quantity lasts at the pace at which the earlier ones were used up.
    """
    trips = events.trips_before(ask.day)[events.member[ask.last]]
    first, last = events.trip[ask.first], events.trip[ask.last]
    cycle = (last - first) / (ask.last - ask.first)
    place, row = _events_of(ask, whole=True)
    bought, newest = np.bincount(row, events.quantity[place], len(ask)), events.quantity[ask.last]
    usual = bought / (ask.last - ask.first + 1)
    used = (bought - newest) / (events.day[ask.last] - events.day[ask.first])
    return {
        "missed": trips - 1 - last, "trip_cycle": cycle, "share": (ask.last - ask.first + 1) / (trips - first),
        "stock_up": newest / usual, "supply": np.maximum(newest / used, 0.5),
    }  # fmt: skip


def member_rhythm(events: Events, day: int) -> Table:
    """Return each member's trips: days since the last, counts, size, P(trip) on `day` and the six days after it."""
    past = events.trip_day < day
    who, when, lines = events.trip_member[past], events.trip_day[past], events.trip_lines[past]
    total = _sum(who, events.members)
    trips = total(np.ones(len(who)))
    last = np.full(events.members, day - NEVER)
    last[who] = when
    first = np.full(events.members, day)
    np.minimum.at(first, who, when)
    found: Table = {"idle": np.minimum(day - last, 999), "trips": trips}
    for days in (7, 14, 28, 56, 112):
        found[f"trips{days}"] = total(when >= day - days)
    found["lines14"], found["lines56"] = total(lines * (when >= day - 14)), total(lines * (when >= day - 56))
    newest = np.zeros(events.members)
    newest[who] = lines
    found["last_lines"] = newest
    daily = 0.5 ** (1 / PROFILE_HALF_LIFE)
    decay = daily ** (day - when)
    weeks = (1 - daily ** np.maximum(day - first, WEEK)) / (1 - daily) / WEEK
    rate = total(decay) / WEEK
    for ahead in range(WEEK):
        same = total(decay * ((when - day - ahead) % WEEK == 0))
        found[f"trip{ahead}"] = (same + rate / 2) / (weeks + 0.5)
    return found | _trip_hazard(who, when, found["idle"], rate / weeks, day)


def _trip_hazard(who: Column, when: Column, idle: Column, rate: Column, day: int) -> Table:
    follows = np.zeros(len(who), dtype=np.bool_)
    follows[1:] = who[1:] == who[:-1]
    gap = np.diff(when, prepend=0)[follows]
    of, weight = who[follows], 0.5 ** ((day - when[follows]) / (2 * PROFILE_HALF_LIFE))
    total = _sum(of, len(idle))
    risk, later = total(weight * (gap >= idle[of])), total(weight * (gap > idle[of]))
    today = (total(weight * (gap == idle[of])) + 2 * rate) / (risk + 2)
    week = total(weight * ((gap > idle[of]) & (gap <= idle[of] + WEEK)))
    return {"trip_today": today, "trip_week": (week + 2 * (1 - (1 - np.minimum(rate, 0.9)) ** WEEK)) / (later + 2)}


def momentum(ask: Asked, member: Column, own: Table, bought: Table, members: int) -> Table:
    """Return how much of what the member's pairs promise was bought in the last 14 and 28 days, per member."""
    rate = own["count"] / own["age"]
    total = _sum(member, members)
    return {
        f"momentum{days}": ((total(bought[f"bought{days}"]) + 1) / (total(np.minimum(days, own["age"]) * rate) + 1))
        for days in (14, 28)
    } | {"pairs": total(np.ones(len(ask)))}


@dataclass(frozen=True, slots=True)
class Pool:
    """What all members together say about an item on a day: items × POOL, and a row for items not seen."""

    items: Column
    values: Column
    unseen: Column

    def of(self, items: Column) -> Column:
        """Return the rows of these item labels."""
        place = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        return np.where((self.items[place] == items)[:, None], self.values[place], self.unseen)


def pool_of(events: Events, ask: Asked, own: Table, bought: Table) -> Pool:
    """Return trend, popularity, regularity and activity of each item, shrunk towards all items together."""
    age = ask.day - events.day
    size = len(events.items)
    sold = {days: np.bincount(events.item[(age > 0) & (age <= days)], minlength=size) for days in (14, 28, 56, 112)}
    item = events.item[ask.last]
    total = _sum(item, size)
    many = total(np.ones(len(ask)))
    columns = [(sold[14] + 5) / (sold[56] / 4 + 5), (sold[28] + 5) / (sold[112] / 4 + 5), np.log1p(sold[56])]
    for value in (own["spread"] / own["mean"], np.log(own["mean"]), np.log(bought["bought28"] + 0.3)):
        columns.append((total(value) + 5 * (value.mean() if len(ask) else 0.0)) / (many + 5))
    values = np.stack(columns, axis=1)
    return Pool(events.items, values, np.median(values, axis=0))


def _events_of(ask: Asked, whole: bool = False) -> tuple[Column, Column]:
    begin = ask.first if whole else ask.first + 1
    count = ask.last - begin + 1
    row = np.repeat(np.arange(len(ask)), count)
    return np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + begin[row], row


def _sum(row: Column, size: int) -> Any:
    return lambda values: np.bincount(row, values, size)


def gather(events: Events, ask: Asked, known: Pool | None = None) -> tuple[Table, Pool]:
    """Return all columns of the asked pairs, one value each, and the pool: `known`, or that of these events."""
    member = events.member[ask.last]
    own, bought = own_rhythm(events, ask), windows(events, ask)
    shared = pool_of(events, ask, own, bought) if known is None else known
    by_member = member_rhythm(events, ask.day) | momentum(ask, member, own, bought, events.members)
    table = own | bought | in_trips(events, ask) | {name: values[member] for name, values in by_member.items()}
    values = shared.of(events.items[events.item[ask.last]])
    return table | {name: values[:, at] for at, name in enumerate(POOL)}, shared


def design(table: Table, rows: Column) -> NDArray[np.float32]:
    """Return the model's columns for some rows: values, their logs, elapsed against cycle, and products of these."""
    part = {name: values[rows].astype(np.float32) for name, values in table.items()}
    cycles = ("mean", "median", "recent")
    late = [np.exp(-part["elapsed"] / np.maximum(part[name], 1)) for name in cycles]
    late.append(np.exp(-part["missed"] / np.maximum(part["trip_cycle"], 1)))
    late.append(np.exp(-part["elapsed"] / np.maximum(part["supply"], 1)))
    over = part["elapsed"] - part["supply"]
    spent = [np.clip(over, -SUPPLY_DAYS, SUPPLY_DAYS), (over > -WEEK - 1) & (over <= -1), (over > -1) & (over < WEEK)]
    rates = [np.log(part[f"bought{days}"] + 0.3) for days in (14, 28, 56, 91)]
    stays = [np.log1p(-np.clip(part[f"trip{ahead}"], 0, 0.95)) for ahead in range(WEEK)]
    week = np.sum(stays[1:], axis=0)
    fresh = [part["elapsed"] < days for days in range(1, 2 * WEEK + 1)]
    strong = [late[0], late[2], late[3], rates[0], rates[1], np.exp(-part["idle"] / 4), stays[0]]
    crossed = [left * right for left in (rates[1], rates[2], week, stays[0]) for right in strong]
    gaps = [np.log(part["elapsed"] / np.maximum(part[name], 1)) for name in (*cycles, "supply")]
    plain = list(part.values())
    logs = [np.sign(values) * np.log1p(np.abs(values)) for values in plain]
    squares = [values**2 for values in late]
    columns = plain + logs + late + squares + rates + stays + [week] + fresh + crossed + gaps + spent
    return np.stack(columns, axis=1, dtype=np.float32, casting="unsafe")
