"""What can become of a coupon: locked, redeemed, reversed, void, expired; and what stock, limit and budget say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from members import coupons
from members.rules import VOUCHER, CouponRule, StaffRules, VoucherRule
from tests.members.coupon_counter import DAY, GIVEN, NOW, RULES, SHANGHAI, Counter, opened, sync

MINUTE = timedelta(minutes=1)


@pytest.fixture
def counter(books_url: str) -> Iterator[Counter]:
    """A counter; afterwards its sums must hold."""
    with opened(books_url) as found:
        yield found
        found.check()


def test_a_lock_keeps_others_away_until_it_runs_out(counter: Counter) -> None:
    code = counter.issue().code
    assert counter.lock(code) == "满100减20"
    assert counter.usable() == []
    assert (
        counter.redeem(code) == counter.redeem(code, lock_key="other") == counter.lock(code, "other") == "coupon_locked"
    )
    assert counter.usable(NOW + MINUTE) == ["满100减20"]
    assert counter.lock(code, "other", now=NOW + MINUTE) == "满100减20"
    assert counter.redeem(code, NOW + MINUTE, lock_key="till") == "coupon_locked"
    assert counter.redeem(code, NOW + MINUTE, lock_key="other") == "满100减20"


def test_whoever_locked_may_renew_let_go_and_redeem_and_nobody_else(counter: Counter) -> None:
    code = counter.issue().code
    counter.lock(code)
    assert counter.lock(code, now=NOW + MINUTE / 2) == "满100减20"
    assert counter.redeem(code, NOW + MINUTE) == "coupon_locked"
    assert [counter.unlock(code, "other"), counter.unlock(code), counter.unlock(code)] == [False, True, False]
    assert counter.redeem(code) == "满100减20"
    assert counter.unlock(code) is False


def test_a_lock_outlives_the_last_day_but_is_not_taken_after_it(counter: Counter) -> None:
    issued = counter.issue("short")
    last, after = issued.expires_at - timedelta(seconds=1), issued.expires_at + timedelta(seconds=30)
    assert counter.lock(issued.code, now=last) == "当日券"
    assert counter.do(coupons.expire_due, after) == 0
    assert counter.lock(issued.code, now=after) == "coupon_locked"
    assert counter.redeem(issued.code, after, lock_key="till") == "当日券"
    late = counter.issue("short", "k2")
    counter.lock(late.code, now=last)
    assert counter.redeem(late.code, last + MINUTE, lock_key="till") == "coupon_expired"
    assert counter.do(coupons.expire_due, last + MINUTE) == 1


def test_a_lock_needs_a_key_and_an_end(counter: Counter) -> None:
    code = counter.issue().code
    for key, seconds in (("", 60), ("till", 0), ("till", -1), ("till", 86_401)):
        with pytest.raises(ValueError, match="a lock needs"):
            counter.lock(code, key, seconds)


def test_a_till_cannot_redeem_with_an_empty_key_what_nobody_locked_for_it(counter: Counter) -> None:
    code = counter.issue().code
    counter.lock(code)
    assert counter.redeem(code, lock_key="") == "coupon_locked"


def test_reversal_gives_it_back_while_it_is_valid(counter: Counter) -> None:
    issued, order = counter.issue(), counter.order()
    assert counter.reverse(issued.id) == "coupon_not_used"
    counter.redeem(issued.code, store="s1", order=order, discount=2000)
    assert counter.copy(issued.id).order == order
    assert counter.reverse(issued.code) == "issued"
    back = counter.copy(issued.id)
    assert (back.state, back.order, back.redeemed_at, back.redeemed_store, back.discount) == (
        "issued",
        None,
        None,
        None,
        0,
    )
    assert counter.reverse(issued.id) == "coupon_not_used"
    counter.redeem(issued.code)
    assert counter.reverse(issued.id, issued.expires_at) == "expired"
    assert counter.usable(issued.expires_at - MINUTE) == []


def refused(counter: Counter, template: str, now: datetime = NOW) -> str:
    """Issue one more; return the refusal's code."""
    more = {"key": "one more", "by": "t", "reason": "", "zone": SHANGHAI, "now": now}
    done = counter.do(coupons.issue, template, RULES[template], counter.member, **more)
    return done if isinstance(done, str) else ""


def test_void_gives_stock_and_limit_back_only_when_asked_to(counter: Counter) -> None:
    kept, back = counter.issue("one"), counter.issue("last", "k2")
    assert counter.void(back.id) and not counter.void(back.id)
    assert counter.issue("last", "k3").created
    assert counter.void(kept.id, give_back=False)
    assert refused(counter, "one") == "coupon_limit"
    assert counter.redeem(back.code) == "coupon_void"
    assert (counter.template("last").issued, counter.granted("one"), counter.granted("last")) == (1, 1, 1)


@pytest.mark.parametrize("how", ["redeemed", "locked", "expired"])
def test_what_is_used_held_or_over_is_not_made_void(counter: Counter, how: str) -> None:
    issued, now = counter.issue(), NOW
    if how == "redeemed":
        counter.redeem(issued.code)
    elif how == "locked":
        counter.lock(issued.code)
    else:
        now = issued.expires_at
    assert not counter.void(issued.id, now)


def test_the_budget_counts_what_copies_may_cost_and_then_what_they_did(counter: Counter) -> None:
    first, second = counter.issue("tight", "1"), counter.issue("tight", "2")
    assert counter.template("tight").committed == 4000
    assert refused(counter, "tight") == ("coupon_budget")
    counter.redeem(first.code, order=counter.order(), discount=1500)
    assert (counter.template("tight").committed, counter.copy(first.id).reserved, counter.copy(first.id).discount) == (
        3500,
        0,
        1500,
    )
    counter.void(second.id)
    assert counter.template("tight").committed == 1500
    assert counter.issue("tight", "3").created


def test_expiry_releases_what_was_committed(counter: Counter) -> None:
    issued = [counter.issue("tight", str(number)) for number in range(2)]
    counter.issue("percent", "p")
    assert counter.do(coupons.expire_due, issued[0].expires_at, limit=1) == 1
    assert counter.do(coupons.expire_due, issued[0].expires_at) == 2
    assert counter.do(coupons.expire_due, issued[0].expires_at) == 0
    assert (counter.template("tight").committed, counter.template("percent").committed) == (0, 0)


def test_a_redemption_without_a_basket_costs_what_it_may_cost(counter: Counter) -> None:
    issued = counter.issue("tight")
    counter.redeem(issued.code)
    assert (counter.template("tight").committed, counter.copy(issued.id).discount) == (2000, 0)
    counter.reverse(issued.id)
    assert (counter.template("tight").committed, counter.copy(issued.id).reserved) == (2000, 2000)


def test_a_gift_takes_nothing_off_and_still_costs(counter: Counter) -> None:
    first, second = counter.issue("gift", "1"), counter.issue("gift", "2")
    counter.redeem(first.code, order=counter.order(), discount=0)
    counter.redeem(second.code)
    assert counter.template("gift").committed == 1000
    counter.reverse(first.id)
    assert counter.template("gift").committed == 1000


def test_a_coupon_comes_back_also_when_its_budget_is_spent_meanwhile(counter: Counter) -> None:
    """A promise is kept: what the budget has room for is committed again, and to honour the rest it grows."""
    first = counter.issue("tight", "1")
    counter.redeem(first.code, order=counter.order(), discount=500)
    counter.issue("tight", "2")
    counter.issue("tight", "3")
    assert counter.template("tight").committed == 4500
    assert counter.reverse(first.id) == "issued"
    assert (counter.copy(first.id).reserved, counter.template("tight").committed) == (1000, 5000)
    assert counter.redeem(first.code, order=counter.order("n2"), discount=2000) == "预算券"
    assert (counter.template("tight").committed, counter.template("tight").budget) == (6000, 6000)
    counter.reverse(first.id, first.expires_at)
    assert counter.template("tight").committed == 4000


def test_a_percentage_without_a_cap_counts_only_what_it_took_off(counter: Counter) -> None:
    issued = counter.issue("open")
    assert counter.template("open").committed == 0
    counter.redeem(issued.code, order=counter.order(), discount=1234)
    assert counter.template("open").committed == 1234
    counter.reverse(issued.id)


def test_limits_lowered_in_the_configuration_end_issuing_and_break_nothing(counter: Counter) -> None:
    for number in range(2):
        counter.issue("tight", f"t{number}")
    counter.issue("last")
    with counter.database.transaction() as connection:
        sync(connection, {"tight": {"budget": 10}, "last": {"stock": 0}})
    assert (counter.template("tight").budget, counter.template("last").stock) == (4000, 1)
    with counter.database.transaction() as connection:
        sync(connection, {"tight": {"budget": 80}})
    assert counter.template("tight").budget == 8000
    with counter.database.transaction() as connection:
        sync(connection, {})


def test_a_template_gives_so_many_a_business_day(counter: Counter) -> None:
    for number in range(3):
        counter.issue("daily", str(number), member=counter.another())
    midnight = datetime(2026, 3, 2, 16, tzinfo=UTC)
    assert [refused(counter, "daily"), refused(counter, "daily", midnight)] == ["coupon_day", ""]


def test_where_and_when_it_is_good(counter: Counter) -> None:
    store, later, evening = (counter.issue(name, name) for name in ("store", "later", "evening"))
    assert counter.redeem(store.code) == counter.redeem(store.code, store="s2") == "coupon_wrong_store"
    assert counter.lock(store.code) == "coupon_wrong_store"
    assert counter.redeem(store.code, store="s1") == "一店券"
    opening = datetime(2026, 11, 11, tzinfo=SHANGHAI)
    assert later.expires_at == datetime(2026, 11, 15, tzinfo=SHANGHAI)
    assert counter.redeem(later.code, opening - timedelta(seconds=1)) == "coupon_not_yet"
    assert counter.redeem(later.code, opening) == "双十一券"
    assert counter.redeem(evening.code) == "coupon_wrong_time"
    assert counter.redeem(evening.code, NOW + 9 * timedelta(hours=1)) == "周一晚市券"


def test_an_order_has_looked_at_the_hour_itself(counter: Counter) -> None:
    assert counter.redeem(counter.issue("evening").code, order=counter.order(), discount=100) == "周一晚市券"


def test_a_copy_with_a_value_of_its_own(counter: Counter) -> None:
    voucher = VoucherRule.model_validate({"rate": "100 分 = 1 元"})
    counter.rules[VOUCHER] = coupons.voucher_rule(voucher)
    with counter.database.transaction() as connection:
        coupons.sync_templates(connection, RULES, voucher, zone=SHANGHAI)
        assert coupons.rules_of(connection)[VOUCHER] == counter.rules[VOUCHER]
    whole, part = counter.issue(VOUCHER, "1", face=1200), counter.issue(VOUCHER, "2", face=1250)
    assert (whole.title, part.title) == ("12元积分券", "12.50元积分券")
    assert whole.expires_at == datetime(2026, 5, 2, tzinfo=SHANGHAI)
    assert counter.template(VOUCHER).committed == 2450
    with counter.database.transaction() as connection:
        coupons.sync_templates(connection, RULES, zone=SHANGHAI)
    assert not counter.template(VOUCHER).active
    assert counter.redeem(part.code) == "12.50元积分券"


@pytest.mark.parametrize("code", sorted(GIVEN))
def test_a_rule_comes_back_from_the_books_as_it_was_written(code: str) -> None:
    rule = CouponRule.model_validate(GIVEN[code])
    assert coupons.rule_of(coupons.stored(rule, SHANGHAI)) == rule


def test_every_part_of_a_rule_survives_the_books() -> None:
    for given in (
        {
            "title": "体验",
            "experience": "烘焙课",
            "slots": {"at": ["10:00", "14:30"], "days": ["sunday"], "capacity": 6},
        },
        {"title": "双倍", "multiplier": "2.5", "valid": "2 months", "until": "2026-12-31"},
        {"title": "套餐", "bundle": {"products": ["a", "b"], "price": 30}, "valid": "90 minutes"},
        {
            "title": "免单",
            "free": {"category": "饮料", "items": 2},
            "scope": {"hours": "22:00-02:00", "exclude": ["x"]},
        },
    ):
        rule = CouponRule.model_validate(given)
        assert coupons.rule_of(coupons.stored(rule)) == rule


@pytest.mark.parametrize("benefit", [{"percent": 10}, {"gift": "汤"}, {"free": {}}, {"multiplier": 2}])
def test_a_budget_needs_to_know_what_a_copy_costs(benefit: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="写了 budget 就要知道"):
        CouponRule.model_validate({"title": "x", "budget": 100, **benefit})
    known = {"cap": 5} if "percent" in benefit else {"cost": 5}
    assert CouponRule.model_validate({"title": "x", "budget": 100, **benefit, **known}).worst_case() == 500


def test_what_an_import_wrote_is_a_thing() -> None:
    rule = coupons.rule_of({"kind": "product", "title": "牛奶 优惠券", "products": 12, "how": "出示即可"})
    assert (rule.gift, rule.how, rule.thing) == ("牛奶 优惠券", "出示即可", True)


def test_an_offer_that_is_over_is_not_issued(counter: Counter) -> None:
    rule = RULES["off"].model_copy(update={"until": NOW.date() - DAY})
    more = {"by": "t", "reason": "", "zone": SHANGHAI, "now": NOW}
    assert counter.do(coupons.issue, "off", rule, counter.member, key="1", **more) == "template_empty"


def test_the_end_is_announced_once_and_not_on_the_first_day(counter: Counter) -> None:
    issued = counter.issue("off")
    counter.issue("short", "k2")
    notice = coupons.due_to_announce
    assert counter.do(notice, NOW) == []
    assert counter.do(notice, issued.expires_at - 3 * DAY - MINUTE) == []
    [told] = counter.do(notice, issued.expires_at - 3 * DAY)
    assert (told.id, told.member, told.title, told.code) == (issued.id, counter.member, issued.title, issued.code)
    assert counter.do(notice, issued.expires_at - 2 * DAY) == []


def test_ends_are_announced_in_bounded_batches(counter: Counter) -> None:
    issued = [counter.issue("off", str(number)) for number in range(5)]
    counter.redeem(issued[0].code)
    soon = issued[0].expires_at - DAY
    assert [len(counter.do(coupons.due_to_announce, soon, limit=3)) for _ in range(3)] == [3, 1, 0]


def test_guessing_ends_in_a_wait(counter: Counter) -> None:
    rules = StaffRules(wrong_codes=3, lock_minutes=30)
    for _ in range(2):
        counter.do(coupons.wrong_code, "staff:1", rules, NOW)
        assert counter.do(coupons.guarded, "staff:1", rules, NOW) is None
    counter.do(coupons.wrong_code, "staff:1", rules, NOW)
    assert counter.do(coupons.guarded, "staff:1", rules, NOW) == "codes_locked"
    assert counter.do(coupons.guarded, "staff:2", rules, NOW) is None
    assert counter.do(coupons.guarded, "staff:1", rules, NOW + 30 * MINUTE) is None
    counter.do(coupons.wrong_code, "staff:1", rules, NOW + 30 * MINUTE)
    assert counter.do(coupons.guarded, "staff:1", rules, NOW + 30 * MINUTE) is None
