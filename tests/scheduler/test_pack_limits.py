"""Whatever shop, members and limits: a pack keeps to all of them, and applying twice is applying once."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from members import coupons, decisions
from members.db import Database
from members.errors import MemberError
from members.tables import CampaignPlan, table
from scheduler.applying import apply_plan
from tests.conftest import empty
from tests.scheduler.pack_shop import MORE, TEMPLATES, PackShop, pack_rules
from tests.scheduler.small_shop import MONDAY, ZONE

CATEGORIES = ["milk", "rice", *MORE]
SECOND = {"title": "{category}85折", "percent": 15, "valid": "10 days", "scope": {"category": "{category}"}}
Fresh = Callable[[], Any]


@pytest.fixture
def fresh(books_url: str, tmp_path: Path) -> Fresh:
    """Gives empty books, each time it is asked."""
    kept = tmp_path / "empty.db"
    if books_url.startswith("sqlite"):
        shutil.copy(tmp_path / "test.db", kept)

    @contextmanager
    def opened() -> Any:
        if books_url.startswith("sqlite"):
            for one in tmp_path.glob("test.db*"):
                one.unlink()
            shutil.copy(kept, tmp_path / "test.db")
        else:
            empty(books_url)
        database = Database(books_url, synchronous="OFF")
        yield database
        database.dispose()

    return opened


def maybe(strategy: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.none() | strategy


limits = st.fixed_dictionaries(
    {"stock": maybe(st.integers(0, 12)), "per_member": maybe(st.integers(1, 3)), "per_day": maybe(st.integers(1, 9))}
)


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_limit_holds_and_twice_is_once(fresh: Fresh, data: st.DataObject) -> None:
    bounds = {code: data.draw(limits, label=code) for code in ("category-10", "category-15", "off-10-over-100")}
    pack: dict[str, Any] = {
        "product_coupons": data.draw(st.integers(0, 5)), "spend_and_save": data.draw(st.integers(1, 2)),
        "budget": data.draw(st.integers(1, 60)), "margin": "40%", "extra": "70%",
    }  # fmt: skip
    rules = pack_rules(
        pack=pack, offer={"product": ["category-10", "category-15"]},
        hold_out=data.draw(st.sampled_from(["0%", "30%"])),
        templates={
            "category-10": {**TEMPLATES["category-10"], **bounds["category-10"]},
            "category-15": {**SECOND, **bounds["category-15"]},
            "off-10-over-100": {**TEMPLATES["off-10-over-100"], **bounds["off-10-over-100"]},
        },
    )  # fmt: skip
    with fresh() as database:
        shop = PackShop(database, rules)
        shop.crowd()
        members = [member(shop, f"o{number}", data) for number in range(data.draw(st.integers(1, 5)))]
        already = {one.id for one in shop.coupons()}
        made = shop.plan()
        assert made.cost.expected is not None and made.cost.expected <= pack["budget"] * 100
        assert made.cost.gap is not None and 0 <= made.cost.gap <= 1
        done = shop.apply(made)
        given_out = [one for one in shop.coupons() if one.id not in already]
        assert done.no_coupon == 0 and len(given_out) == made.cost.coupons == sum(made.templates.values())
        assert Counter(one.template for one in given_out) == {code: n for code, n in made.templates.items() if n}
        for code, bound in bounds.items():
            of_template = [one for one in shop.coupons() if one.template == code]
            for most in (bound["stock"], bound["per_day"]):
                assert most is None or len(of_template) <= most
            each = Counter(one.member_id for one in of_template)
            assert bound["per_member"] is None or max(each.values(), default=0) <= bound["per_member"]
        check_members(shop, members, given_out, pack)
        assert made.cost.at_most == sum(one.reserved for one in given_out)
        again(shop, made.id)


def member(shop: PackShop, openid: str, data: st.DataObject) -> int:
    """A member with habits of their own, maybe scored by the night, maybe with a coupon that is still good."""
    bought = data.draw(st.lists(st.sampled_from(CATEGORIES), unique=True, min_size=1, max_size=4))
    amounts: dict[str, Any] = {code: data.draw(st.integers(500, 9000)) for code in bought}
    found = shop.regular(openid, **amounts)
    if data.draw(st.booleans()):
        wanted = data.draw(st.lists(st.sampled_from([*CATEGORIES, "fuel"]), unique=True, max_size=5))
        shop.scored(found, *((f"{code}-1", data.draw(st.floats(0, 1)), "habit", "买过 2 次") for code in wanted))
    if data.draw(st.booleans()) and shop.rules.base.coupons["category-10"].stock != 0:
        with shop.database.transaction() as connection:
            decision = decisions.record(
                connection, found, campaign="x", template="category-10", reason="r", trace={"category": bought[0]},
                now=MONDAY,
            )  # fmt: skip
            savepoint = connection.begin_nested()
            try:
                coupons.issue(
                    connection, "category-10", shop.rules.base.coupons["category-10"], found, key=openid, by="test",
                    reason="r", zone=ZONE, now=MONDAY, decision=decision,
                )  # fmt: skip
            except MemberError:
                savepoint.rollback()
    return found


def check_members(shop: PackShop, members: list[int], issued: list[Any], pack: dict[str, Any]) -> None:
    """No member has more than the pack allows, two coupons on one thing, what is excluded, or anything unexplained."""
    why = {one.id: one for one in shop.decided()}
    assert {one.member_id for one in issued} <= set(members)
    for one in members:
        mine = [coupon for coupon in issued if coupon.member_id == one]
        spends = [coupon for coupon in mine if coupon.template.startswith("off-")]
        assert len(spends) <= pack["spend_and_save"] and len(mine) - len(spends) <= pack["product_coupons"]
        assert len({coupon.template for coupon in spends}) == len(spends)
        live = [
            why[coupon.decision_id].trace.get("category")
            for coupon in shop.coupons()
            if coupon.member_id == one and coupon.template.startswith("category")
        ]
        assert len(set(live)) == len(live) and "fuel" not in live
        assert all(why[coupon.decision_id].reason == coupon.reason != "" for coupon in mine)
    messages = Counter(row.member_id for row in shop.outbox())
    assert messages == dict.fromkeys({coupon.member_id for coupon in issued}, 1)


def again(shop: PackShop, plan: str) -> None:
    """Apply the same plan again, as after a crash before it was closed: nothing is added."""
    before = len(shop.coupons()), len(shop.decided()), len(shop.outbox())
    with shop.database.transaction() as connection:
        connection.execute(update(table(CampaignPlan)).values(applied_at=None))
    done = apply_plan(shop.database, plan, shop.rules, MONDAY)
    assert done.put == done.no_coupon == 0 and done.already == before[2]
    assert (len(shop.coupons()), len(shop.decided()), len(shop.outbox())) == before
