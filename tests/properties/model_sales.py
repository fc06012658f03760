"""Sales and what they bring, refunds and what they take back."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import floor

from tests.properties.model_coupons import Copy
from tests.properties.model_people import People
from tests.properties.model_value import Lot, Move, Refused, local_day, months_later

SPREE, SPREE_MONTHS, SPREE_POINTS, SPREE_TIMES = 250_00, 2, 20, 2
TEA_OVER = 80_00


@dataclass(frozen=True)
class Line:
    """One line, `amount` 分 before any discount of the order."""

    sku: str
    category: str
    amount: int


@dataclass
class Grant:
    """A gift that a sale brought."""

    kind: str
    points: int = 0
    copy: str | None = None
    taken: int = 0
    settled: bool = False
    day: date | None = None


@dataclass
class Sale:
    """One order, 分; `earned` are the points its purchase brought, gifts not counted."""

    name: str
    who: int | None
    at: datetime
    lines: tuple["Line", ...]
    amounts: list[int]
    mark: int | None = None
    principal: int = 0
    gift: int = 0
    earned: int = 0
    refunded: int = 0
    coupons: list[str] = field(default_factory=list)
    refunds: dict[str, tuple[int | None, dict[str, int]]] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)

    @property
    def total(self) -> int:
        """What was paid, by whatever means."""
        return sum(self.amounts)

    @property
    def day(self) -> date:
        """The shop's day it was on."""
        return local_day(self.at)


def spread(lines: tuple[Line, ...], discount: int) -> list[int]:
    """What each line costs after the discount: by its amount, what doesn't divide to the largest remainders."""
    whole = sum(line.amount for line in lines)
    parts = [discount * line.amount // whole for line in lines]
    by_rest = sorted(range(len(lines)), key=lambda i: (-(discount * lines[i].amount % whole), i))
    for place in by_rest[: discount - sum(parts)]:
        parts[place] += 1
    return [line.amount - part for line, part in zip(lines, parts, strict=True)]


def points_of(lines: tuple[Line, ...], amounts: list[int], tier: str) -> int:
    """One point per 元, fruit or the tier more often (the better counts), tobacco none; five more from 100 元 on."""
    times = {"普卡": Fraction(1), "银卡": Fraction(3, 2), "金卡": Fraction(2)}[tier]
    points = Fraction(0)
    for line, amount in zip(lines, amounts, strict=True):
        if line.category != "tobacco":
            points += Fraction(amount, 100) * (max(times, Fraction(2)) if line.category == "fruit" else times)
    return floor(points) + (5 if sum(amounts) >= 100_00 else 0)


@dataclass
class Sales(People):
    """Every sale, in the order in which they came."""

    sales: dict[str, Sale] = field(default_factory=dict)
    voucher_periods: set[tuple[str, int]] = field(default_factory=set)
    ran_out: dict[str, int] = field(default_factory=dict)
    forgiven: dict[str, int] = field(default_factory=dict)

    def owner(self, sale: Sale) -> int | None:
        """Whose the sale is by now."""
        return None if sale.who is None else self.survivor(sale.who)

    def discount_of(self, copy: str, lines: tuple[Line, ...]) -> int:
        """What a copy takes off a basket; refused below its threshold."""
        whole = sum(line.amount for line in lines)
        code = self.copies[copy].template
        if code == "off" and whole < 50_00:
            raise Refused("coupon_threshold")
        if code == "points-voucher":
            return min(self.copies[copy].worst, whole)
        return {"off": 10_00, "cash": min(5_00, whole), "tenth": min(whole // 10, 20_00)}.get(code, 0)

    def sell(
        self, name: str, who: int | None, lines: tuple[Line, ...], *, pay: int = 0, copy: str | None = None,
        discount: int = 0, tier: str = "普卡", mark: int | None = None,
    ) -> Sale:  # fmt: skip
        """Take a sale and give what it brings."""
        sale = Sale(name, who, self.now, lines, spread(lines, discount), mark)
        if pay > sale.total:
            raise Refused("order_pay_too_much")
        if copy is not None:
            self._use(sale, copy, lines, discount)
        if pay:
            if who is None:
                raise Refused("order_needs_member")
            sale.principal, sale.gift = self.pay(f"{name}:pay", who, pay)
        self.sales[name] = sale
        if who is not None:
            sale.earned = points_of(lines, sale.amounts, tier)
            if sale.earned:
                self.give(f"{name}:earn", who, sale.earned, order=name, pending=True)
            self._gifts(sale, who)
        return sale

    def adopt(self, who: int, mark: int, tier: str) -> int:
        """Sales of a buyer nobody knew become somebody's; young ones earn now, less what came back meanwhile."""
        found = [sale for sale in self.sales.values() if sale.mark == mark and sale.who is None]
        for sale in found:
            sale.who = who
            if sale.at < self.now - timedelta(days=90) or (sale.refunded and sale.refunded == sale.total):
                continue
            sale.earned = points_of(sale.lines, sale.amounts, tier)
            if sale.earned:
                self.give(f"{sale.name}:earn", who, sale.earned, order=sale.name, pending=True)
                self._catch_up(sale, who)
        return len(found)

    def _catch_up(self, sale: Sale, who: int) -> None:
        """Take back the points of what was refunded before anybody was known to have bought it."""
        sale.refunded, refunded = 0, sale.refunded
        for _, answer in sale.refunds.values():
            before = self._due(sale)["points"]
            sale.refunded += answer["amount"]
            due = self._due(sale)["points"] - before
            answer["taken"] = self.take_back(who, due, sale.name, self.policy.refunds)
        assert sale.refunded == refunded

    def reward(self, key: str, who: int) -> Copy:
        """Points become the reward's coupon, both or neither."""
        self.spend(f"{key}:points", who, self.policy.reward)
        return self.issue(key, "soup", who)

    def vouchers(self, period: str) -> dict[int, tuple[int, int]]:
        """The period's job: points become vouchers, once for everybody; return {person: (points, 分)}."""
        per, fen, _ = self.policy.voucher
        done = {}
        for who, points in self.vouchers_due().items():
            if (period, who) not in self.voucher_periods:
                self.voucher_periods.add((period, who))
                self.spend(f"voucher:{period}:{who}", who, points)
                self.issue(f"voucher:{period}:{who}", "points-voucher", who, face=points // per * fen)
                done[who] = (points, points // per * fen)
        return done

    def _use(self, sale: Sale, copy: str, lines: tuple[Line, ...], discount: int) -> None:
        if sale.who is not None and self.copies[copy].owner != sale.who:
            raise Refused("coupon_not_theirs")
        worth = self.discount_of(copy, lines)
        if worth and not discount:
            raise Refused("order_discount_missing")
        self.redeem(copy, discount=min(worth, discount), order=sale.name)
        sale.coupons.append(copy)

    def _gifts(self, sale: Sale, who: int) -> None:
        if sale.total >= TEA_OVER:
            try:
                self.issue(f"tea:{sale.name}", "tea", who)
                sale.grants.append(Grant("purchase", copy=f"tea:{sale.name}"))
            except Refused:
                pass
        mine = [other for other in self.sales.values() if self.owner(other) == who]
        given = [(other, grant) for other in mine for grant in other.grants if grant.kind == "total"]
        counting = [other for other, grant in given if not grant.taken]
        after = list(self.sales).index(counting[-1].name) if counting else -1
        if len(given) < SPREE_TIMES and self._spree(who, after, sale, local_day(self.now)) >= SPREE:
            self.give(f"{sale.name}:total", who, SPREE_POINTS, order=sale.name, pending=True)
            sale.grants.append(Grant("total", SPREE_POINTS, day=local_day(self.now)))

    def _spree(self, who: int, after: int, upto: Sale, day: date) -> int:
        """What was spent after the sale in place `after` up to this one, within the months before a day."""
        counted = list(self.sales.values())[after + 1 :]
        counted = counted[: counted.index(upto) + 1]
        since = months_later(day, -SPREE_MONTHS)
        return sum(s.total - s.refunded for s in counted if self.owner(s) == who and since < s.day <= day)

    def refund(self, name: str, number: str, amount: int | None, *, policy: str | None = None) -> dict[str, int]:
        """Give money back, once per number; points, balance, coupons and gifts follow."""
        if name not in self.sales:
            raise Refused("order_unknown")
        sale = self.sales[name]
        if number in sale.refunds:
            if sale.refunds[number][0] != amount:
                raise Refused("refund_conflict")
            return sale.refunds[number][1]
        left = sale.total - sale.refunded
        back = left if amount is None else amount
        if not 0 < back <= left:
            raise Refused("refund_too_much")
        before, who = self._due(sale), self.owner(sale)
        sale.refunded += back
        due = {part: now - before[part] for part, now in self._due(sale).items()}
        taken = 0
        if who is not None:
            move = Move(who)
            self.add(move, "principal", due["principal"])
            self.add(move, "gift", due["gift"])
            taken = self.take_back(who, due["points"], name, policy or self.policy.refunds)
        if sale.refunded == sale.total:
            for copy in sale.coupons:
                self.reverse(copy)
        if who is not None:
            self._gifts_back(sale, who, policy or self.policy.refunds)
        answer = {"amount": back, "principal": due["principal"], "gift": due["gift"], "taken": taken}
        sale.refunds[number] = (amount, answer)
        return answer

    def _due(self, sale: Sale) -> dict[str, int]:
        """What is due in all for what has been refunded so far: it depends on how much, never on in how many parts."""
        paid = sale.principal + sale.gift
        balance = paid * sale.refunded // sale.total
        gift = sale.gift * balance // paid if paid else 0
        kept = sale.earned * (sale.total - sale.refunded) // sale.total
        return {"principal": balance - gift, "gift": gift, "points": sale.earned - kept}

    def take_back(self, who: int, points: int, order: str, policy: str) -> int:
        """Take points back: those of the sale first, what of them ran out counts as taken; then as the policy says."""
        move, person = Move(who), self.people[who]
        own = [lot for lot in person.lots if lot.order == order and (lot.matures or lot.expires > self.now)]
        own.sort(key=lambda lot: (lot.expires, lot.number))
        taken = self.take(move, [lot for lot in own if lot.matures], points)
        taken += self.take(move, [lot for lot in own if not lot.matures], points - taken)
        gone = min(points - taken, self._gone(order))
        self.forgiven[order] = self.forgiven.get(order, 0) + gone
        if policy != "only_pending":
            taken += self.take(move, self.good_lots(who), points - taken - gone)
        for number, part in move.taken:
            self.end(number, part)
        if policy == "may_go_negative":
            self.add(move, "owed", taken + gone - points)
            taken = points - gone
        return taken

    def _gone(self, order: str) -> int:
        unbooked = sum(lot.remaining for lot in self._lots_of(order) if not lot.matures and lot.expires <= self.now)
        return self.ran_out.get(order, 0) + unbooked - self.forgiven.get(order, 0)

    def _lots_of(self, order: str) -> list[Lot]:
        return [lot for person in self.people for lot in person.lots if lot.order == order]

    def expire(self) -> dict[int, int]:
        """Remember what of each sale ran out."""
        for person in self.people:
            for lot in person.lots:
                if lot.order and not lot.matures and lot.expires <= self.now:
                    self.ran_out[lot.order] = self.ran_out.get(lot.order, 0) + lot.remaining
        return super().expire()

    def _gifts_back(self, sale: Sale, who: int, policy: str) -> None:
        """A gift goes when its sale went, fell below what it asks for, or no longer makes up its total."""
        left = sale.total - sale.refunded
        lost = [(sale, grant) for grant in sale.grants if not left or (grant.kind == "purchase" and left < TEA_OVER)]
        lost += [pair for pair in self._totals_missed(sale, who) if pair not in lost]
        for other, grant in lost:
            if grant.points and not grant.settled:
                before = self.forgiven.get(other.name, 0)
                grant.taken = self.take_back(who, grant.points, other.name, policy)
                grant.settled = bool(grant.taken) or self.forgiven[other.name] > before
            if grant.copy is not None:
                self.void(grant.copy, give_back=True)

    def _totals_missed(self, sale: Sale, who: int) -> list[tuple[Sale, Grant]]:
        places = list(self.sales)
        given = [
            (places.index(other.name), other, grant)
            for other in self.sales.values()
            for grant in other.grants
            if grant.kind == "total" and not grant.taken and self.owner(other) == who
        ]
        later = [found for found in given if found[0] >= places.index(sale.name)]
        if not later:
            return []
        place, other, grant = later[0]
        before = [found[0] for found in given if found[0] < place]
        assert grant.day is not None
        if self._spree(who, before[-1] if before else -1, other, grant.day) >= SPREE:
            return []
        return [(other, grant)]

    def void_sale(self, name: str) -> dict[str, int]:
        """Undo a sale: all of it goes back, points down to zero at least."""
        strict = "down_to_zero" if self.policy.refunds == "only_pending" else self.policy.refunds
        return self.refund(name, "void", None, policy=strict)

    def net(self, who: int, months: int = 12) -> int:
        """What somebody has spent within the months before today, refunds off."""
        today = local_day(self.now)
        since = months_later(today, -months)
        return sum(s.total - s.refunded for s in self.sales.values() if self.owner(s) == who and since < s.day <= today)
