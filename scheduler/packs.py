"""The coupon pack: what could be in it, who gets what within the budget, and the words that explain each coupon."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from members import coupons, decisions
from members.coupons import CATEGORY, PRODUCT
from members.rules import CouponRule
from recommend import features, pack, takings
from recommend.likely import Reading
from recommend.pack import Limits
from recommend.pack_offers import YUAN, Belief, Held, Layout, Options, Table, taken_off
from scheduler.campaigns import FOOTER, Candidate, period_of
from scheduler.rules import CouponPack, PushRules

AT_ONCE, NAMED, NAMED_IN_SMS = 2_000, 3, 2
MOST_BYTES = 2_000  # of UTF-8; the platform's measured limit of a text is 2,048
BY, MANY = "pack", "您常买的商品"


@dataclass(frozen=True, slots=True)
class Desk:
    """What a pack is made of: every coupon that could be given, what is left of each template, and names."""

    campaign: CouponPack
    rules: Mapping[str, CouponRule]
    left: Mapping[str, int]
    options: Options
    categories: Mapping[str, str]
    products: Mapping[str, str]
    plain: Sequence[int] = ()
    plain_cost: int = 0
    spent: int = 0

    def members(self) -> set[int]:
        """Return for whom there is anything."""
        return {*self.options.members(), *self.plain}


@dataclass(frozen=True, slots=True)
class Packed:
    """Who gets what: rows rising by member, the best coupon of each first; `gap` bounds the share of value missed."""

    desk: Desk
    options: Options
    places: Mapping[int, tuple[int, int]]
    plain: frozenset[int]
    expected: int
    gap: float

    def __contains__(self, member: int) -> bool:
        return member in self.places or member in self.plain

    def templates(self) -> Mapping[str, int]:
        """Return how many coupons of each template are given, those of the pack also where it is none."""
        offer = self.desk.campaign.offer
        found = Counter(dict.fromkeys([*offer.product, *offer.spend], 0))
        for code, count in enumerate(np.bincount(self.options.columns["template"]).tolist()):
            found[self.options.templates[code]] += count
        if self.plain:
            found[offer.plain or ""] += len(self.plain)
        return dict(found)

    @property
    def budget(self) -> int:
        """Return what all may be expected to cost, in 分."""
        return self.desk.campaign.pack.budget * YUAN

    def offers(self) -> Mapping[str, int]:
        """Return how many coupons are on each category; those on the whole basket and for everybody are 通用."""
        of = self.options.columns
        found = Counter({"通用": len(self.plain) + int(of["spend"].sum())})
        for place, count in enumerate(np.bincount(of["thing"][~of["spend"]]).tolist()):
            found[self.desk.categories.get(self.options.things[place], self.options.things[place])] += count
        return {name: count for name, count in found.items() if count}

    def candidate(self, member: int) -> Candidate:
        """Return a member's pack as a candidate: its coupons, the best first."""
        first, end = self.places[member]
        of = self.options.columns
        some = [self._coupon({name: of[name][row] for name in of}) for row in range(first, end)]
        head = next((one for one in some if one["category"]), some[0])
        trace = {"by": BY, "coupons": some, "category": head["category"], "category_name": head["category_name"]}
        reason = ";".join(one["reason"] for one in some[:NAMED])
        name = head["category_name"] or MANY
        return Candidate(member, reason, head["category"], name, trace=trace, coupons=some)

    def _coupon(self, row: Mapping[str, Any]) -> dict[str, Any]:
        options, desk = self.options, self.desk
        code, why = options.templates[row["template"]], options.whys[row["why"]]
        rule, sku = desk.rules[code], options.articles[row["article"]] if row["article"] >= 0 else ""
        category = "" if row["spend"] else options.things[row["thing"]]
        name, product = desk.categories.get(category, category), desk.products.get(sku, sku)
        told = desk.products.get(options.articles[row["told"]], name) if row["told"] >= 0 else name
        return {
            "template": code, "title": rule.title.replace(CATEGORY, name).replace(PRODUCT, product), "by": why.by,
            "reason": _reason(why.by, why.words, told, rule), "category": category, "category_name": name,
            "product": sku, "chance": round(float(row["chance"]), 4), "cost": int(row["cost"]),
            "value": round(float(row["value"])),
        }  # fmt: skip


def _reason(by: str, words: str, name: str, rule: CouponRule) -> str:
    match by:
        case "baskets" | "shop_baskets":
            return f"{'您' if by == 'baskets' else '大家'}一次大约消费{words}元,满{rule.over}减{rule.off}"
        case "frequency":
            return f"您{words}{name}"
        case "popular":
            return f"大家常买的{name}"
        case "repurchase" | "timing":
            return f"您常买的{name}:{words}"
        case "habit":
            return f"您常买的{name}:{words}" if words.startswith("买过") else f"{name}:您{words}"
    return f"{name}:{words}"


def lay_out(
    connection: Connection, name: str, rules: PushRules, campaign: CouponPack, personal: Sequence[int],
    plain: Sequence[int], now: datetime,
) -> Desk:  # fmt: skip
    """Return every coupon of a pack that is worth something; `plain` want nothing personal. A chunk at a time."""
    zone, offer = rules.base.shop.zone, campaign.offer
    of_code = {code: rules.base.coupons[code] for _, code in offer.codes()}
    left = coupons.left(connection, list(of_code), zone=zone, now=now)
    names = features.category_names(connection)
    without = features.excluded_codes(rules.recommend, names)
    taken = takings.categories(connection, now=now, zone=zone, without=without)
    reading = Reading.of(connection, rules.recommend, now=now, zone=zone, without=without, taken=taken)
    table = Table(
        products={code: of_code[code] for code in offer.product if left[code] and campaign.pack.product_coupons},
        spends={code: of_code[code] for code in offer.spend if left[code] and campaign.pack.spend_and_save},
        taken=taken, names=names, shelf=reading.shelf, baskets=takings.shop_sizes(connection, now=now, zone=zone),
        belief=Belief(campaign.pack.margin, campaign.pack.extra, campaign.pack.visit), watched=offer.product,
    )  # fmt: skip
    layout, days = Layout(table), rules.recommend.look_back_days
    for start in range(0, len(personal), AT_ONCE):
        some = sorted(personal[start : start + AT_ONCE])
        sizes = takings.sizes(connection, some, now=now, zone=zone, days=days)
        chunk = [(member, likely, sizes.get(member, [])) for member, likely in reading.members(some)]
        layout.add(chunk, _held(connection, some, of_code, now))
    may = [] if offer.plain is None else _plain(connection, plain, offer.plain, of_code, now)
    plain_cost = 0 if offer.plain is None else _plain_cost(table, of_code[offer.plain])
    return Desk(
        campaign, of_code, left, layout.options(), names,
        {sku: goods.name for sku, goods in reading.shelf.items() if goods is not None}, may, plain_cost,
        decisions.cost(connection, name, period_of(campaign, now, zone), plain_cost),
    )  # fmt: skip


def _held(connection: Connection, members: Sequence[int], of_code: Mapping[str, CouponRule], now: datetime) -> Held:
    codes = list(of_code)
    live = {
        (member, code, category if _chosen(of_code[code]) else "")
        for member, code, category in coupons.live(connection, members, codes, now)
    }
    return Held(frozenset(live), coupons.granted(connection, members, codes))


def _chosen(rule: CouponRule) -> bool:
    """Tell whether what a copy is on is chosen for each member."""
    return rule.scope.category == CATEGORY or PRODUCT in rule.scope.products


def _plain(
    connection: Connection, members: Sequence[int], code: str, of_code: Mapping[str, CouponRule], now: datetime
) -> list[int]:
    held = _held(connection, members, {code: of_code[code]}, now)
    return [one for one in members if held.may(one, code, of_code[code]) and not held.has(one, code)]


def _plain_cost(table: Table, rule: CouponRule) -> int:
    """Return what one coupon for everybody is expected to cost, as if each who gets it had the shop's usual basket."""
    if rule.off is None and rule.percent is None:
        return rule.worst_case() or 0
    if not table.baskets:
        return rule.worst_case() or 0
    return round(sum(taken_off(rule, size) for size in table.baskets) / len(table.baskets))


def assign(desk: Desk, inside: Sequence[int]) -> Packed:
    """Give out within budget and stock among these members; those who want nothing personal come first, all alike.

    Hold-outs are not among `inside`, so that they take neither budget nor stock. What the period's coupons cost so
    far, as when a plan broke off, is no longer there to give.
    """
    campaign, here = desk.campaign, set(inside)
    budget, code = max(0, campaign.pack.budget * YUAN - desk.spent), campaign.offer.plain or ""
    plain = [member for member in desk.plain if member in here][: desk.left.get(code, 0)]
    if desk.plain_cost:
        plain = plain[: budget // desk.plain_cost]
    spent = len(plain) * desk.plain_cost
    mine = desk.options.of(here)
    wanted = np.bincount(mine.columns["template"], minlength=len(mine.templates))
    stock = [desk.left[one] - (len(plain) if one == code else 0) for one in mine.templates]
    limits = Limits(
        budget - spent, np.minimum(np.array(stock, dtype=np.int64), wanted), campaign.pack.product_coupons,
        campaign.pack.spend_and_save,
    )  # fmt: skip
    done = pack.choose(mine.offers(), limits)
    chosen = mine.pick(np.flatnonzero(done.chosen))
    of = chosen.columns
    chosen = chosen.pick(np.lexsort((of["template"], of["thing"], -of["value"], of["member"])))
    members, first = np.unique(chosen.columns["member"], return_index=True)
    ends = np.append(first, len(chosen.columns["member"]))[1:]
    places = {
        one: (begin, end) for one, begin, end in zip(members.tolist(), first.tolist(), ends.tolist(), strict=True)
    }
    return Packed(desk, chosen, places, frozenset(plain), spent + int(of["cost"].sum()), done.gap())


def words(text: str, titles: Sequence[str]) -> str:
    """Return a text whose `{coupon}` names the best few of a pack and how many there are, as long as WeChat takes."""
    for many in range(min(NAMED, len(titles)), -1, -1):
        named = "".join(f"「{title}」" for title in titles[:many])
        more = "等" if 0 < many < len(titles) else ""
        told = text.replace("{coupon}", f"{named}{more}{len(titles)}张券(回复「优惠券」查看)")
        if len((told + FOOTER).encode()) <= MOST_BYTES:
            break
    return told.encode()[: MOST_BYTES - len(FOOTER.encode())].decode(errors="ignore")


def sms_words(text: str, named: Sequence[str], many: int) -> str:
    """Return a text for SMS, where no reply shows the list: the best with their codes, and how many there are."""
    rest = f"等{many}张券,到店报手机号可查全部" if many > len(named) else ""
    return text.replace("{coupon}", "".join(named) + rest)
