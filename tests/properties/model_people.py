"""Who is who, and the small gifts: two members that become one and part again, presenting the card, checking in."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from tests.properties.model_coupons import Coupons
from tests.properties.model_value import Move, Refused, local_day


@dataclass
class Joined:
    """A merge: who became part of whom, and what that brought to each account."""

    source: int
    target: int
    brought: dict[str, int]
    coupons: list[tuple[str, bool]] = field(default_factory=list)
    granted: list[str] = field(default_factory=list)
    offers: list[int] = field(default_factory=list)
    days: set[tuple[int, date]] = field(default_factory=set)
    lots: list[int] = field(default_factory=list)
    undone: bool = False


@dataclass
class People(Coupons):
    """Members as persons."""

    merges: list[Joined] = field(default_factory=list)
    presented: set[tuple[int, date]] = field(default_factory=set)
    checked_in: set[tuple[int, date]] = field(default_factory=set)
    present_points: int = 3
    checkin_points: int = 2
    streaks: dict[int, int] = field(default_factory=lambda: {3: 5})

    def survivor(self, who: int) -> int:
        """Who owns by now what was somebody's."""
        into = self.people[who].merged_into
        return who if into is None else self.survivor(into)

    def merge(self, source: int, target: int) -> Joined:
        """All that one owns becomes another's: each lot with its end, money, debts, usable coupons, limits used up."""
        if source == target:
            raise Refused("merge_same")
        giver, taker = self.people[source], self.people[target]
        if giver.merged_into is not None or taker.merged_into is not None:
            raise Refused("merge_merged")
        joined = Joined(source, target, {account: amount for account, amount in giver.all().items() if amount})
        move = Move(target)
        for lot in sorted(giver.lots, key=lambda lot: (lot.expires, lot.number)):
            if lot.remaining:
                self.open_lot(move, lot.remaining, lot.expires, lot.matures, lot.order)
                lot.remaining = 0
        joined.lots = [number for number, _ in move.opened]
        for account, amount in giver.money.items():
            self.add(move, account, amount)
            giver.money[account] = 0
        for key, copy in self.copies.items():
            if copy.owner == source:
                joined.coupons.append((key, copy.state in ("issued", "locked")))
                copy.owner = target
            if copy.granted_to == source:
                joined.granted.append(key)
                copy.granted_to = target
        for number, offer in enumerate(self.offers):
            if offer.giver == source and offer.open:
                joined.offers.append(number)
                offer.giver = target
        joined.days = {(target, day) for who, day in self.presented if who == source} - self.presented
        self.presented |= joined.days
        giver.merged_into = target
        self.merges.append(joined)
        return joined

    def unmerge(self, number: int) -> Joined:
        """The two part again; coupons used since stay. How much value comes back, the rule checks beside both's own."""
        joined = self.merges[number]
        if joined.undone:
            raise Refused("merge_undone")
        if self.people[joined.target].merged_into is not None:
            raise Refused("merge_covered")
        joined.undone = True
        for key, usable in joined.coupons:
            copy = self.copies[key]
            if copy.owner == joined.target and not (usable and copy.state == "redeemed"):
                copy.owner = joined.source
        for key in joined.granted:
            if self.copies[key].granted_to == joined.target:
                self.copies[key].granted_to = joined.source
        for number in joined.offers:
            if self.offers[number].open and self.offers[number].giver == joined.target:
                self.offers[number].giver = joined.source
        self.presented -= joined.days
        self.people[joined.source].merged_into = None
        return joined

    def present(self, who: int) -> int:
        """The card is shown: once a day it brings points."""
        today = local_day(self.now)
        if (who, today) in self.presented:
            return 0
        self.presented.add((who, today))
        self.give(f"present:{who}:{today}", who, self.present_points)
        return self.present_points

    def check_in(self, who: int) -> tuple[int, int]:
        """Points for today, more for days in a row; return (points, days in a row)."""
        today = local_day(self.now)
        streak = 1
        days = {day for one, day in self.checked_in if self.survivor(one) == who}
        while today - timedelta(days=streak) in days:
            streak += 1
        points = self.checkin_points + self.streaks.get((streak - 1) % max(self.streaks) + 1, 0)
        if today not in days:
            self.checked_in.add((who, today))
            self.give(f"checkin:{who}:{today}", who, points)
        return points, streak
