"""What the books should say of points and money, in plain Python: from the rules alone, no code of the product.

A person owns lots of points, lots that are pending, balance bought (`principal`) and given (`gift`), a debt of points
(`owed`, never above zero) and what partners keep. Every deed is a `Move`, so that it can be undone.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")


class Refused(Exception):
    """The rules say no; the code is what the books must say too."""


@dataclass
class Policy:
    """The figures of the rules, in 分 and points."""

    expiry_months: int = 1
    pending_days: int = 0
    refunds: str = "down_to_zero"
    gift_pays: str = "proportional"
    gift_at_most: int = 10_000  # of 10,000
    topup: tuple[tuple[int, int], ...] = ((100_00, 10_00), (300_00, 45_00))
    topup_range: tuple[int, int] = (1_00, 1000_00)
    partner: tuple[int, int, int] = (10, 3, 30)  # points, units, at least
    reward: int = 60
    voucher: tuple[int, int, int] = (100, 1_00, 100)  # points, 分, at least


@dataclass
class Lot:
    """Points that came together and run out together; pending ones become points at `matures`."""

    number: int
    remaining: int
    expires: datetime
    matures: datetime | None = None
    order: str | None = None


@dataclass
class Move:
    """What one deed moved for one person: money, parts taken of lots, lots opened."""

    who: int
    money: dict[str, int] = field(default_factory=dict)
    taken: list[tuple[int, int]] = field(default_factory=list)
    opened: list[tuple[int, int]] = field(default_factory=list)
    undone: bool = False


@dataclass
class Person:
    """Somebody's points and money."""

    number: int
    lots: list[Lot] = field(default_factory=list)
    money: dict[str, int] = field(default_factory=lambda: {"principal": 0, "gift": 0, "owed": 0})
    merged_into: int | None = None

    def points(self) -> int:
        """All points, those too that have run out and are not booked as expired yet."""
        return sum(lot.remaining for lot in self.lots if lot.matures is None)

    def pending(self) -> int:
        """Points that are still to mature."""
        return sum(lot.remaining for lot in self.lots if lot.matures is not None)

    def good(self, now: datetime) -> int:
        """Points that can be used."""
        return sum(lot.remaining for lot in self.lots if lot.matures is None and lot.expires > now)

    def all(self) -> dict[str, int]:
        """Every account."""
        return self.money | {"points": self.points(), "pending": self.pending()}


def local_day(instant: datetime) -> date:
    """The shop's date at an instant."""
    return instant.astimezone(ZONE).date()


def midnight_after(day: date) -> datetime:
    """The first instant after a day of the shop."""
    return datetime.combine(day + timedelta(days=1), time(), ZONE)


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the month's last when it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise AssertionError


@dataclass
class Value:
    """Points and balances of everybody, and how they move."""

    now: datetime
    policy: Policy = field(default_factory=Policy)
    people: list[Person] = field(default_factory=list)
    moves: dict[str, Move] = field(default_factory=dict)
    lots_made: int = 0
    ended: dict[int, int] = field(default_factory=dict)

    def newcomer(self) -> int:
        """One person more, who owns nothing."""
        self.people.append(Person(len(self.people)))
        return len(self.people) - 1

    def good_lots(self, who: int) -> list[Lot]:
        """The lots that may be spent, the first to run out first."""
        lots = [lot for lot in self.people[who].lots if lot.matures is None and lot.expires > self.now]
        return sorted(lots, key=lambda lot: (lot.expires, lot.number))

    def open_lot(
        self, move: Move, points: int, expires: datetime, matures: datetime | None = None, order: str | None = None
    ) -> None:
        """Points come that have an end of their own."""
        self.lots_made += 1
        self.people[move.who].lots.append(Lot(self.lots_made, points, expires, matures, order))
        move.opened.append((self.lots_made, points))

    def take(self, move: Move, lots: list[Lot], points: int) -> int:
        """Take up to so many points from these lots in their order; return how many were there."""
        left = points
        for lot in lots:
            part = min(left, lot.remaining)
            if part:
                lot.remaining -= part
                move.taken.append((lot.number, part))
                left -= part
        return points - left

    def add(self, move: Move, account: str, amount: int) -> None:
        """Money (or a debt) comes or goes; nothing falls below zero, a debt never rises above it."""
        money = self.people[move.who].money
        money[account] = money.get(account, 0) + amount
        if (money[account] > 0) if account == "owed" else (money[account] < 0):
            raise Refused("insufficient")
        move.money[account] = move.money.get(account, 0) + amount

    def points_end(self) -> datetime:
        """When points given now run out."""
        return midnight_after(months_later(local_day(self.now), self.policy.expiry_months))

    def give(self, key: str, who: int, points: int, *, order: str | None = None, pending: bool = False) -> Move:
        """Points come; a debt is paid first."""
        move = self.moves[key] = Move(who)
        paid = min(points, -self.people[who].money["owed"])
        self.add(move, "owed", paid)
        later = pending and self.policy.pending_days > 0
        matures = midnight_after(local_day(self.now) + timedelta(days=self.policy.pending_days)) if later else None
        if points > paid:
            self.open_lot(move, points - paid, self.points_end(), matures, order)
        return move

    def spend(self, key: str, who: int, points: int) -> Move:
        """Points go, the first to run out first; never more than can be used."""
        move = self.moves[key] = Move(who)
        if points > self.people[who].good(self.now):
            raise Refused("insufficient")
        self.take(move, self.good_lots(who), points)
        return move

    def partner(self, key: str, who: int, points: int) -> int:
        """Whole multiples of points become a partner's units."""
        per, units, least = self.policy.partner
        whole = points // per * per
        if points < least or not whole:
            raise Refused("partner_least")
        self.add(self.spend(key, who, whole), "wallet:miles", whole // per * units)
        return whole

    def vouchers_due(self) -> dict[int, int]:
        """Everybody whose points become a voucher now, and how many: whole multiples of the rate."""
        per, _, least = self.policy.voucher
        good = {person.number: person.good(self.now) for person in self.people if person.merged_into is None}
        return {who: points // per * per for who, points in good.items() if points >= max(per, least)}

    def mature(self) -> dict[int, int]:
        """The night's job: pending points can be used; what is owed is paid of them first."""
        done: dict[int, int] = {}
        for person in self.people:
            for lot in [lot for lot in person.lots if lot.remaining and lot.matures and lot.matures <= self.now]:
                move, points = Move(person.number), lot.remaining
                paid = min(points, -person.money["owed"])
                self.add(move, "owed", paid)
                lot.remaining = 0
                if points > paid:
                    self.open_lot(move, points - paid, lot.expires, None, lot.order)
                done[person.number] = done.get(person.number, 0) + points
        return done

    def end(self, lot: int, points: int) -> None:
        """So much of a lot ran out or was taken back: no unmerge makes up for it."""
        self.ended[lot] = self.ended.get(lot, 0) + points

    def expire(self) -> dict[int, int]:
        """The night's job: what has run out is gone."""
        gone: dict[int, int] = {}
        for person in self.people:
            for lot in person.lots:
                if lot.matures is None and lot.expires <= self.now and lot.remaining:
                    gone[person.number] = gone.get(person.number, 0) + lot.remaining
                    self.end(lot.number, lot.remaining)
                    lot.remaining = 0
        return gone

    def undo(self, key: str) -> None:
        """Undo a move, once: what it took goes back where it was, what it gave is taken there first."""
        move, back = self.moves[key], Move(self.moves[key].who)
        if self.people[move.who].merged_into is not None:
            raise Refused("member_merged")
        if move.undone:
            return
        lots = {lot.number: lot for lot in self.people[move.who].lots}
        for number, part in move.taken:
            lots[number].remaining += part
        for number, points in move.opened:
            self._take_given(back, lots[number], points)
        for account, amount in move.money.items():
            self.add(back, account, -amount)
        for number, points in back.taken:
            self.end(number, points)
        move.undone = True

    def _take_given(self, back: Move, lot: Lot, points: int) -> None:
        own = lot.matures is not None or lot.expires > self.now
        left = points - self.take(back, [lot] if own else [], points)
        if left > self.people[back.who].good(self.now):
            raise Refused("insufficient")
        self.take(back, self.good_lots(back.who), left)

    def top_up(self, key: str, who: int, fen: int) -> tuple[int, int]:
        """Money comes to the balance, with the gift of the highest step it reaches."""
        least, most = self.policy.topup_range
        if not least <= fen <= most:
            raise Refused("topup_range")
        gift = max((gift for over, gift in self.policy.topup if fen >= over), default=0)
        move = self.moves[key] = Move(who)
        self.add(move, "principal", fen)
        self.add(move, "gift", gift)
        return fen, gift

    def pay(self, key: str, who: int, fen: int) -> tuple[int, int]:
        """The balance pays, from both parts as the rule says; `gift_at_most` is never overstepped."""
        principal, gift = (self.people[who].money[part] for part in ("principal", "gift"))
        cap = min(gift, fen * self.policy.gift_at_most // 10_000)
        if fen - principal > cap:
            raise Refused("insufficient")
        wanted = {"first": cap, "last": 0, "proportional": fen * gift // max(principal + gift, 1)}
        of_gift = min(max(wanted[self.policy.gift_pays], fen - principal, 0), cap)
        move = self.moves[key] = Move(who)
        self.add(move, "principal", of_gift - fen)
        self.add(move, "gift", -of_gift)
        return fen - of_gift, of_gift

    def cash_out(self, key: str, who: int, fen: int) -> None:
        """Money leaves; the gift that belonged to it leaves too."""
        principal, gift = (self.people[who].money[part] for part in ("principal", "gift"))
        if not principal:
            raise Refused("balance_empty")
        if fen > principal:
            raise Refused("insufficient")
        move = self.moves[key] = Move(who)
        self.add(move, "principal", -fen)
        self.add(move, "gift", -(gift * fen // principal))
