"""How many points a purchase brings: pure, exact, rounded down once per order.

The base is `per_100_yuan` points for 10,000 分 of what was paid. Multipliers apply line by line: of those that fit a
line the highest counts, or their product (`combine`). Lines that come to more than the total was are cut in proportion;
what the total has beyond its lines earns as a line without article. The breakdown always adds up to the points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import NamedTuple

from members.rules import WEEKDAYS, EarnBonus, EarnRule, LoyaltyRules


class EarnLine(NamedTuple):
    """One line of a purchase; `amount` is what was paid for it, in 分. A category may be meant by code or by name."""

    category: str
    brand: str
    sku: str
    amount: int
    category_name: str = ""


@dataclass(frozen=True, slots=True)
class EarnFacts:
    """One purchase, amounts in 分; `paid_balance` is the part of `total` paid from the balance.

    `brand` is the store's, `at` local time, `day` the business date (default: the date of `at`), `earned_today` the
    points that purchases of this business day have brought before.
    """

    total: int
    at: datetime
    lines: Sequence[EarnLine] = ()
    paid_balance: int = 0
    store: str = ""
    brand: str = ""
    tier: str = ""
    plan_multiplier: Decimal | None = None
    birthday: date | None = None
    coupon_multiplier: Decimal | None = None
    earned_today: int = 0
    day: date | None = None

    @property
    def date(self) -> date:
        """Return the date that rules about days look at."""
        return self.day or self.at.date()


@dataclass(frozen=True, slots=True)
class Earned:
    """The points, and what they are made of as (reason, points); a reason may take away."""

    points: int
    lines: Sequence[tuple[str, int]] = ()


Factor = tuple[str, Decimal]
PLAIN = "消费"


def points_for(rules: LoyaltyRules, facts: EarnFacts) -> Earned:
    """Return the points of one purchase: never negative, within `per_order` and what is left of `per_day`."""
    earn, parts = rules.earn, _parts(facts.total, facts.lines)
    if facts.total <= 0:
        return Earned(0)
    share = Fraction(max(facts.total - (0 if earn.on_balance else facts.paid_balance), 0), facts.total)
    always = _always(rules, facts)
    fitting = [bonus for bonus in earn.bonuses if _fits(bonus, facts)]
    steps = {PLAIN: Fraction(0)}
    for line, amount in parts:
        if _named(line, earn.exclude):
            continue
        base = amount * share * earn.per_100_yuan / 10_000
        factors = [
            (bonus.name, bonus.multiplier)
            for bonus in fitting
            if bonus.multiplier is not None and _is(line, facts.brand, bonus.category, bonus.brands, bonus.products)
        ]
        _weigh(steps, base, earn.combine, [*always, *factors])
    found = _rounded(steps)
    if share:
        found += [(bonus.name, bonus.points) for bonus in fitting if bonus.points]
    return _capped(earn, facts.earned_today, found)


def matched(
    total: int, lines: Sequence[EarnLine], brand: str = "", *, category: str = "", brands: Sequence[str] = (),
    products: Sequence[str] = (),
) -> int:  # fmt: skip
    """Return how much of a purchase (分, never more than `total`) is of these; what is left empty does not matter."""
    parts = _parts(total, lines)
    return floor(sum((amount for line, amount in parts if _is(line, brand, category, brands, products)), Fraction(0)))


def is_birthday(birthday: date, day: date, within: str = "day") -> bool:
    """Tell whether `day` is the birthday, or in its week (from Monday) or month; 29 February counts on the 28th."""
    if within == "month":
        return birthday.month == day.month
    if within == "week":
        monday = day - timedelta(days=day.weekday())
        return any(is_birthday(birthday, monday + timedelta(days=number)) for number in range(7))
    return birthday_in(birthday, day.year) == day


def birthday_in(birthday: date, year: int) -> date:
    """Return the birthday in a year; who was born on 29 February has it on the 28th in a common year."""
    try:
        return birthday.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def _parts(total: int, lines: Sequence[EarnLine]) -> list[tuple[EarnLine, Fraction]]:
    """Return the lines with what each counts for: together exactly `total`, which is not negative."""
    bought = [line for line in lines if line.amount > 0]
    together = sum(line.amount for line in bought)
    if together > total:
        return [(line, Fraction(line.amount * max(total, 0), together)) for line in bought]
    rest = [(EarnLine("", "", "", total - together), Fraction(total - together))] if total > together else []
    return [(line, Fraction(line.amount)) for line in bought] + rest


def _always(rules: LoyaltyRules, facts: EarnFacts) -> list[Factor]:
    """Return the multipliers that apply to every line."""
    earn, found = rules.earn, list[Factor]()
    tier = next((tier for tier in rules.tiers if tier.name == facts.tier), None)
    if tier is not None and tier.earn_multiplier is not None:
        found.append((tier.name, tier.earn_multiplier))
    if facts.plan_multiplier is not None:
        found.append(("付费会员", facts.plan_multiplier))
    if earn.birthday and facts.birthday and is_birthday(facts.birthday, facts.date, earn.birthday.within):
        found.append(("生日", earn.birthday.multiplier))
    if facts.coupon_multiplier is not None:
        found.append(("积分券", facts.coupon_multiplier))
    return found


def _fits(bonus: EarnBonus, facts: EarnFacts) -> bool:
    """Tell whether a bonus applies to the purchase: where, when, to whom, and to enough of it."""
    day = facts.date
    if (bonus.stores and facts.store not in bonus.stores) or (bonus.tiers and facts.tier not in bonus.tiers):
        return False
    if (bonus.since and day < bonus.since) or (bonus.until and day > bonus.until):
        return False
    if (bonus.days and WEEKDAYS[day.weekday()] not in bonus.days) or (
        bonus.hours and not bonus.hours.holds(facts.at.time())
    ):
        return False
    found = matched(
        facts.total, facts.lines, facts.brand, category=bonus.category, brands=bonus.brands, products=bonus.products
    )
    return found > 0 and found >= bonus.over * 100


def _is(line: EarnLine, brand: str, category: str, brands: Sequence[str], products: Sequence[str]) -> bool:
    """Tell whether a line is of the category, of one of the brands (its own or the store's) and of the products."""
    return (
        (not category or _named(line, [category]))
        and (not brands or line.brand in brands or brand in brands)
        and (not products or line.sku in products)
    )


def _named(line: EarnLine, categories: Sequence[str]) -> bool:
    return any(name and name in categories for name in (line.category, line.category_name))


def _weigh(steps: dict[str, Fraction], base: Fraction, combine: str, factors: Sequence[Factor]) -> None:
    """Add a line's points to what each reason brings."""
    steps[PLAIN] += base
    if combine == "best":
        factors = [max(factors, key=lambda factor: factor[1])] if factors else []
    for name, multiplier in factors:
        more = base * (Fraction(multiplier) - 1)
        reason = f"{name}{multiplier.normalize():f}倍"
        steps[reason] = steps.get(reason, Fraction(0)) + more
        base += more


def _rounded(steps: Mapping[str, Fraction]) -> list[tuple[str, int]]:
    """Return whole points per reason; together they are the sum rounded down."""
    found, before, total = list[tuple[str, int]](), 0, Fraction(0)
    for reason, points in steps.items():
        total += points
        if floor(total) != before:
            found.append((reason, floor(total) - before))
        before = floor(total)
    return found


def _capped(earn: EarnRule, earned_today: int, lines: Sequence[tuple[str, int]]) -> Earned:
    found = list(lines)
    for reason, most in (
        ("每单上限", earn.per_order),
        ("每日上限", None if earn.per_day is None else max(earn.per_day - earned_today, 0)),
    ):
        beyond = 0 if most is None else sum(points for _, points in found) - most
        if beyond > 0:
            found.append((reason, -beyond))
    return Earned(sum(points for _, points in found), tuple(found))
