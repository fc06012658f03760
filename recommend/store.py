"""The recommender's night: read the books, refit once a week, score everybody into the score tables.

Reading is one consistent look, fitting and scoring happen outside any transaction, rows are written in short ones that
the counter hardly notices; whatever is interrupted is whole again the next time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from members import inferring, models, scores, settings
from members.clock import business_date
from members.db import Database
from members.scores import Score
from recommend import association, books, features, registry, rfm, standing, tagging, taxonomy, turn
from recommend.books import Shelf, day_number, day_of
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.registry import NEXT_BASKET, TIMING, Outcome, Workshop
from recommend.rfm import RfmScheme
from recommend.rules import RecommendRules
from recommend.scoring import Scorer, standing_rows
from recommend.standing import WINDOW
from recommend.upgrades import Upgrades

AT_ONCE = 500
COMPANIONS, COMPANION_DAYS, SAMPLE = 5, 180, 40_000
SCHEME, TRIED = "recommend:rfm", "recommend:fit:"
Told = Callable[[str, int, int | None], None]


def silent(what: str, done: int, total: int | None) -> None:
    """Tell nobody how far it is."""


@dataclass(slots=True)
class Night:
    """What one run did."""

    members: int = 0
    lines: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    tags: int = 0
    uncategorised: int = 0

    def line(self) -> str:
        """Return the run in words."""
        without = (
            f"{self.uncategorised} 行购买的商品没有品类,没有算:用 import products 写上" if self.uncategorised else ""
        )
        if not self.lines:
            stand = f";{self.members} 位会员已分层" if self.members else ""
            return "购买记录还太少,先按次数推荐" + stand + (f";{without}" if without else "")
        fitted = "".join(f";{outcome.line()}" for outcome in self.outcomes)
        return f"{self.lines} 行购买,{self.members} 位会员已打分{fitted}" + (f";{without}" if without else "")


@dataclass(frozen=True, slots=True)
class Store:
    """The recommender of one installation: its books, its rules, and the folder of its model files."""

    database: Database
    rules: RecommendRules
    folder: Path
    zone: ZoneInfo
    day_start: time = time()

    def run(self, now: datetime, *, fit: bool | None = None, told: Told = silent, owner: str = "") -> Night:
        """Score everybody for the calendar day of `now`; fit first when `fit`, or when None and it is time to.

        Calendar, for where business ends at 04:00 a night at 03:00 is for the day that begins then, and what is sold
        until then counts as bought since (recommend/scored.py).
        NightRunning while another night runs, unless it is `owner`'s turn that was taken for this one.
        """
        with turn.keeping(self.database, owner or turn.owner(), since=now) as check:

            def watched(what: str, done: int, total: int | None) -> None:
                check()
                told(what, done, total)

            return self._run(now, fit, watched)

    def _run(self, now: datetime, fit: bool | None, told: Told) -> Night:
        night, today = Night(), day_number(business_date(now, self.zone))
        with self.database.reading() as connection:
            enough, newest = scores.worth_scoring(connection), scores.newest_order(connection)
            night.uncategorised = books.uncategorised(connection)
        try:
            receipts = self.receipts(now, told)
        except BadPurchases:
            return night
        if not len(receipts.before(today)):
            return night
        bought = self._bought(now, today, told) if enough else None
        if bought is None:
            where = standing.of(receipts, today, self.scheme(receipts, today))
            blocks = standing_rows(where, today, where.members, None)
        else:
            log, shelf = bought
            night.lines = len(log)
            kinds = self._due(now) if fit is None else models.KINDS if fit else ()
            if kinds:
                night.outcomes = self.fit(log, shelf, today, now, told, kinds)
                self._renew_scheme(receipts, today)
            part = _sample(log)
            upgrades = Upgrades.learn(log, part, shelf, today, self.rules, self._companions(part, shelf, today))
            where = standing.of(receipts, today, self.scheme(receipts, today), bought=log, shelf=shelf)
            scorer = Scorer(log, shelf, today, self._model(NEXT_BASKET), self._model(TIMING), upgrades)
            blocks = scorer.scores(where)
        for block in blocks:
            night.members += self._put(block, now, newest)
            told("打分", min(night.members, len(where.members)), len(where.members))
        if bought is not None:
            night.tags = self._tag(*bought, today, now, told)
        with self.database.transaction() as connection:
            scores.drop_before(connection, day_of(today) - timedelta(days=scores.FRESH_DAYS))
        self.note(night.line(), now)
        return night

    def _bought(self, now: datetime, today: int, told: Told) -> tuple[PurchaseLog, Shelf] | None:
        """Return the log and its shelf, None where no line of it lies before today."""
        try:
            log, shelf = self.read(now, told)
        except BadPurchases:
            return None
        return (log, shelf) if len(log.before(today)) else None

    def note(self, line: str, now: datetime) -> None:
        """Keep what the last run came to."""
        turn.note(self.database, line, now)

    def fit(
        self, log: PurchaseLog, shelf: Shelf, today: int, now: datetime, told: Told = silent,
        kinds: Sequence[str] = models.KINDS,
    ) -> list[Outcome]:  # fmt: skip
        """Fit and judge these kinds of models; return what came of it."""
        shop, found = Workshop(self.folder, log, shelf, today), []
        for kind in kinds:
            told(f"学习{models.NAMES[kind]}", 0, None)
            found.append(registry.refit(self.database, shop, kind, now=now))
            with self.database.transaction() as connection:
                settings.put(connection, f"{TRIED}{kind}", {"at": now.isoformat()})
        return found

    def receipts(self, now: datetime, told: Told = silent) -> PurchaseLog:
        """Return what everybody paid up to `now`, whatever it was for; BadPurchases when there is nothing."""
        with self.database.reading() as connection:
            return books.receipts(connection, now=now, told=_counting(told, "读取小票"))

    def read(self, now: datetime, told: Told = silent) -> tuple[PurchaseLog, Shelf]:
        """Return the log of the books up to `now` without excluded categories, and what is told of its items."""
        with self.database.reading() as connection:
            without = features.excluded_codes(self.rules, features.category_names(connection))
            log = books.read(
                connection, now=now, zone=self.zone, day_start=self.day_start, without=without,
                told=_counting(told, "读取购买记录"),
            )  # fmt: skip
            return log, books.shelf(connection, log.items)

    def _due(self, now: datetime) -> list[str]:
        """Return the kinds that it is time to fit: never tried, long enough ago, or the file in use can't be read."""
        longest = timedelta(days=self.rules.refit_days) - timedelta(hours=12)
        with self.database.reading() as connection:
            tried = {kind: settings.get(connection, f"{TRIED}{kind}") for kind in models.KINDS}
            lost = [kind for kind in models.KINDS if registry.lost(connection, self.folder, kind)]
        return [
            kind for kind, last in tried.items()
            if last is None or kind in lost or now - datetime.fromisoformat(last["at"]) >= longest
        ]  # fmt: skip

    def _model(self, kind: str) -> Any:
        with self.database.reading() as connection:
            return registry.current(connection, self.folder, kind)

    def _put(self, block: Sequence[Score], now: datetime, newest: int) -> int:
        done = 0
        for start in range(0, len(block), AT_ONCE):
            with self.database.transaction() as connection:
                some = block[start : start + AT_ONCE]
                done += scores.put_many(connection, some, now=now, orders_read=newest)
        return done

    def _renew_scheme(self, receipts: PurchaseLog, today: int) -> None:
        scheme = rfm.quantile_scheme(receipts, today, window=WINDOW)
        edges = {name: list(getattr(scheme, name)) for name in ("recency", "frequency", "monetary")}
        with self.database.transaction() as connection:
            settings.put(connection, SCHEME, {**edges, "window": scheme.window})

    def scheme(self, receipts: PurchaseLog, today: int) -> RfmScheme:
        """Return the edges of config.yaml, else those of the last fit, so that a week's scores can be compared."""
        if self.rules.rfm is not None:
            return self.rules.rfm.scheme()
        with self.database.reading() as connection:
            stored = settings.get(connection, SCHEME)
        if stored is None:
            return rfm.quantile_scheme(receipts, today, window=WINDOW)
        edges = {name: tuple(stored[name]) for name in ("recency", "frequency", "monetary")}
        return RfmScheme(**edges, window=stored["window"])

    def _tag(self, log: PurchaseLog, shelf: Shelf, today: int, now: datetime, told: Told) -> int:
        """Make the inferred tags what they should be; of whom nothing is inferred any more they are taken off."""
        changed = done = 0
        private, covered = tagging.of_children(taxonomy.load()), set[int]()
        for some in tagging.wanted(log, today, shelf, AT_ONCE) if self.rules.infer_tags else ():
            with self.database.transaction() as connection:
                changed += inferring.refresh(connection, some, of_children=private, now=now)
            covered.update(some)
            done += len(some)
            told("推断标签", done, len(log.members))
        with self.database.reading() as connection:
            left = [member for member in inferring.carriers(connection) if member not in covered]
        for start in range(0, len(left), AT_ONCE):
            with self.database.transaction() as connection:
                changed += inferring.end(connection, left[start : start + AT_ONCE], now=now)
        return changed

    def _companions(self, part: PurchaseLog, shelf: Shelf, today: int) -> dict[int, list[list[Any]]]:
        """Write what goes with each article beyond chance, of the last half year; return it by the article's code."""
        try:
            found = association.pairs(part, today, since=today - COMPANION_DAYS).companions()
        except BadPurchases:
            return {}
        beside = _beside(found, shelf)
        chosen = [(int(part.items[code]), some) for code, some in sorted(beside.items())]
        for start in range(0, len(chosen), AT_ONCE):
            with self.database.transaction() as connection:
                scores.put_companions(connection, day_of(today), dict(chosen[start : start + AT_ONCE]))
        return beside


def _counting(told: Told, what: str) -> Callable[[int], None]:
    """Return what is told of each portion and tells how many rows were read in all."""
    read = 0

    def count(rows: int) -> None:
        nonlocal read
        read += rows
        told(what, read, None)

    return count


def _sample(log: PurchaseLog) -> PurchaseLog:
    """Return the rows of so many members that what goes with what can be learnt in bounded memory."""
    stride = -(-len(log.members) // SAMPLE)
    return log if stride <= 1 else log.of(log.members[::stride])


def _beside(found: association.Pairs, shelf: Shelf) -> dict[int, list[list[Any]]]:
    """Return {item code: [sku, times chance, share] of its companions}, those of its own category left out."""
    beyond, beside = found.beyond, dict[int, list[list[Any]]]()
    for row in range(len(found.left)):
        pair = int(found.left[row]), int(found.right[row])
        if shelf.category[pair[0]] == shelf.category[pair[1]]:
            continue
        for (mine, other), of in zip((pair, pair[::-1]), (found.of_left[row], found.of_right[row]), strict=True):
            some = beside.setdefault(mine, [])
            if len(some) < COMPANIONS and shelf.active[other]:
                share = round(float(found.baskets[row] / of), 3)
                some.append([str(shelf.sku[other]), round(float(beyond[row]), 2), share])
    return beside
