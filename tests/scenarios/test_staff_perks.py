"""Perks and paid plans at the counter: listed, used, sold, undone, limited, and only where the shop has any."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from members import auditing
from members.tables import PaidMembership, PerkUse, table
from tests.support.acting import deal, deeds, empty_books, hire, messages
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
CHANGES = {
    "shop": {"stores": [{"id": "s1", "name": "徐汇店"}, {"id": "s2", "name": "静安店"}]},
    "staff": {
        "limits": {"cashier": {"topup": 400, "topup_per_shift": 500, "four_eyes_over_yuan": 200}},
        "store_limits": {"topup_per_day": 600},
    },
    "loyalty": {
        "tiers": [{"name": "普卡", "perks": ["专属客服"]}, {"name": "金卡", "spend_12_months": 3000}],
        "paid": [
            {
                "name": "黑金", "price": 199, "earn_multiplier": 2,
                "perks": [{"name": "免费配送", "per_month": 2}, {"name": "停车", "per_month": 1}],
            },
            {"name": "钻石", "price": 399}, {"name": "至尊", "price": 999},
        ],
    },
}  # fmt: skip
bought, uses = table(PaidMembership), table(PerkUse)


def opened(running: Shop) -> Shop:
    """A cashier, a manager and a bound member."""
    hire(running, "o-wang", store="s1")
    hire(running, "o-zhao", name="赵店长", role="manager", store="s1")
    running.member(PHONE, openid="o-anna")
    return running


@pytest.fixture
def served(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop with perks and plans."""
    with open_shop(tmp_path, books_url, CHANGES) as running:
        yield opened(running)
        with running.service.database.reading() as connection:
            assert auditing.breaches(connection, now=running.clock.now()) == []


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """The same on SQLite, for what does not differ."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), CHANGES) as running:
        yield opened(running)


def told(shop: Shop, openid: str = "o-anna") -> str:
    """The newest notice to an openid."""
    return str(messages(shop, openid)[-1].content["text"])


def used(shop: Shop) -> dict[str, int]:
    """{perk: how often it was used}."""
    with shop.service.database.reading() as connection:
        return {row.perk: row.used for row in connection.execute(select(uses)) if row.used}


def held(shop: Shop) -> list[tuple[str, bool]]:
    """(plan, whether it was ended) of every purchase."""
    with shop.service.database.reading() as connection:
        return [(row.plan, row.ended_at is not None) for row in connection.execute(select(bought))]


def number(said: str) -> str:
    """The number of a deed or a request in a reply."""
    found = re.search(r"编号 (\d+)", said)
    assert found is not None, said
    return found[1]


def test_a_plan_is_sold_and_its_perks_are_used(served: Shop) -> None:
    wang, anna = served.talker("o-wang"), served.talker("o-anna")
    assert wang.say("开通 尾号8000 黑金").splitlines() == [
        "给 138****8000 开通「黑金」,收 ¥199.00,有效至 2027年3月2日。", "请核对,5分钟内回复「确认」;回复别的就不办。",
    ]  # fmt: skip
    assert held(served) == []
    assert wang.say("确认").startswith("已给 138****8000 开通「黑金」,收 ¥199.00,有效至 2027年3月2日。\n编号 ")
    assert told(served).startswith("您在徐汇店开通了「黑金」(¥199.00),有效至 2027年3月2日。")
    assert "您的「黑金」有效至 2027年3月2日" in anna.say("等级")
    assert wang.say("权益 尾号8000").splitlines() == [
        "138****8000 普卡 · 黑金至 2027年3月2日", "· 专属客服", "· 免费配送(本月还可用 2 次)",
        "· 停车(本月还可用 1 次)",
    ]  # fmt: skip
    assert wang.say("用权益 尾号8000 免费配送").splitlines()[0] == "用 138****8000 的「免费配送」一次,本月还剩 1 次。"
    assert used(served) == {}
    assert wang.say("确认").startswith("已用 138****8000 的「免费配送」一次,本月还剩 1 次。")
    assert told(served) == "您在徐汇店用了一次「免费配送」,本月还剩 1 次。如有疑问请联系门店021-5555。"
    assert wang.say("确认") == "现在没有等您确认的操作。"
    deal(served, "o-wang", "用权益 尾号8000 免费配送")
    assert wang.say("用权益 尾号8000 免费配送") == "「免费配送」每月 2 次,本月已用完。"
    assert wang.say("用权益 尾号8000 洗车") == "这位会员现在没有「洗车」这项权益。"
    assert used(served) == {"免费配送": 2}
    assert [deed.actor for deed in deeds(served, "perk.use")] == ["staff:1"] * 2
    assert "开通会员 1 笔 ¥199.00 · 用权益 2 次" in wang.say("今日")


def test_a_use_is_undone_and_given_back(served: Shop) -> None:
    wang = served.talker("o-wang")
    sold = number(deal(served, "o-wang", "开通 尾号8000 黑金"))
    deal(served, "o-wang", "用权益 尾号8000 停车")
    assert "会员已经用掉了一部分" in wang.say(f"撤销 {sold}"), "its perk was used"
    assert "用权益「停车」(138****8000)" in wang.say("撤销")
    assert "已撤销编号" in wang.say("确认")
    assert used(served) == {}
    assert "撤销了刚才的操作:用权益「停车」" in told(served)
    assert "已撤销" in deal(served, "o-wang", f"撤销 {sold}")
    assert held(served) == [("黑金", True)]
    assert "撤销了刚才的操作:开通「黑金」¥199.00" in told(served)
    assert "停车" not in wang.say("权益 尾号8000")
    assert "等级" in served.talker("o-anna").say("等级") and "黑金" not in served.talker("o-anna").say("等级")
    deal(served, "o-wang", "开通 尾号8000 黑金")
    served.clock.forward(minutes=15)
    assert "已过撤销时间" in wang.say("撤销")


def test_a_use_before_midnight_of_the_last_day_goes_back_to_its_month(local: Shop) -> None:
    deal(local, "o-wang", "开通 尾号8000 黑金")
    local.clock.forward(days=29, hours=13, minutes=55)
    deal(local, "o-wang", "用权益 尾号8000 停车")
    local.clock.forward(minutes=10)
    assert "还可用 1 次" in local.talker("o-wang").say("权益 尾号8000").splitlines()[-1]
    assert "已撤销" in deal(local, "o-wang", "撤销")
    assert used(local) == {}


def test_a_plan_that_multiplied_points_or_goes_on_is_not_undone(local: Shop) -> None:
    wang = local.talker("o-wang")
    first = number(deal(local, "o-wang", "开通 尾号8000 黑金"))
    second = number(deal(local, "o-wang", "开通 尾号8000 黑金"))
    assert "有效至 2028年3月2日" in told(local)
    assert wang.say(f"撤销 {first}") == "这之后又续过,或已经结束,不能撤销这一笔。请先撤销后面那一笔。"
    assert "得 20 积分" in deal(local, "o-wang", "消费 尾号8000 10")
    assert "已撤销" in deal(local, "o-wang", f"撤销 {second}"), "the first still multiplies"
    assert "会员已经用掉了一部分" in wang.say(f"撤销 {first}")
    assert held(local) == [("黑金", False), ("黑金", True)]
    deal(local, "o-wang", "撤销")
    assert "已撤销" in deal(local, "o-wang", f"撤销 {first}")


def test_what_is_missing_is_asked_for(local: Shop) -> None:
    wang = local.talker("o-wang")
    assert "哪位会员" in wang.say("开通")
    assert wang.say("8000").splitlines() == [
        "开通哪一种?请回复序号:", "1. 黑金 ¥199.00", "2. 钻石 ¥399.00", "3. 至尊 ¥999.00",
    ]  # fmt: skip
    assert wang.say("白金") == "没有「白金」这种付费会员。"
    assert "开通「黑金」" in wang.say("1")
    wang.say("确认")
    assert wang.say("用权益 尾号8000").splitlines()[1:] == ["1. 专属客服", "2. 免费配送", "3. 停车"]
    assert "的「停车」一次,本月还剩 0 次" in wang.say("停车")
    assert "的「专属客服」一次。" in wang.say("用权益 尾号8000 专属客服一次")
    assert "没有「白金」" in wang.say("开通 尾号8000 白金")


def test_a_plan_counts_against_the_limits_of_top_ups(local: Shop) -> None:
    wang = local.talker("o-wang")
    assert "一次最多收 400 元会员费" in wang.say("开通 尾号8000 至尊")
    deal(local, "o-wang", "充值 尾号8000 150")
    sold = number(deal(local, "o-wang", "开通 尾号8000 黑金"))
    assert wang.say("开通 尾号8000 黑金") == "这个班次充值和开通会员已达上限(500 元),请联系店长。"
    assert wang.say("充值 尾号8000 152") == "这个班次充值已达上限(500 元),请联系店长。"
    assert "本店今天充值和开通会员已达上限(600 元)" in local.talker("o-zhao").say("开通 尾号8000 钻石")
    deal(local, "o-wang", f"撤销 {sold}")
    assert "已给" in deal(local, "o-wang", "充值 尾号8000 152"), "what was undone was given back"


def test_a_dear_plan_needs_a_second_pair_of_eyes(served: Shop) -> None:
    wang, zhao = served.talker("o-wang"), served.talker("o-zhao")
    assert "这笔要店长批准" in wang.say("开通 尾号8000 钻石")
    asked = number(wang.say("确认"))
    assert held(served) == []
    assert f"编号 {asked}:开通「钻石」¥399.00(138****8000)" in told(served, "o-zhao")
    assert "已给 138****8000 开通「钻石」" in zhao.say(f"批准 {asked}")
    assert held(served) == [("钻石", False)]
    assert "开通了「钻石」" in told(served)
    assert deeds(served, "paid.buy")[0].approved_by == "staff:2"


def test_where_the_shop_has_none(tmp_path: Path, books_url: str) -> None:
    with open_shop(tmp_path, books_url) as shop:
        hire(shop, "o-wang")
        shop.member(PHONE)
        wang = shop.talker("o-wang")
        assert wang.say("权益 尾号8000") == wang.say("用权益 尾号8000 停车") == "本店还没有设置会员权益。"
        assert wang.say("开通 尾号8000 黑金") == "本店没有付费会员可以开通。"


def test_who_has_no_perk_is_told_so_and_nobody_serves_themselves(tmp_path: Path, migrated_sqlite: Path) -> None:
    loyalty = {"tiers": [{"name": "普卡"}, {"name": "金卡", "spend_12_months": 9, "perks": ["停车"]}]}
    books = empty_books(migrated_sqlite, tmp_path)
    with open_shop(tmp_path, books, {"loyalty": {**loyalty, "paid": [{"name": "黑金", "price": 9}]}}) as shop:
        hire(shop, "o-wang")
        shop.member(PHONE, openid="o-wang")
        shop.member("+8613900139000")
        wang = shop.talker("o-wang")
        for words in ("权益 尾号9000", "用权益 尾号9000 停车"):
            assert wang.say(words) == "139****9000 现在没有可用的权益。"
        assert wang.say("开通 尾号8000 黑金") == "不能给自己办理,请让同事处理。"


def test_points_both_up_and_down_are_refused(local: Shop) -> None:
    wang = local.talker("o-wang")
    for words in ("加积分 尾号8000 减50", "加积分 尾号8000 minus 50", "扣积分 尾号8000 +50"):
        assert "又加又扣" in wang.say(words)
        assert wang.say("确认") == "现在没有等您确认的操作。"
    assert "多少积分" in wang.say("加积分 尾号8000")
    assert "又加又扣" in wang.say("减50")
    assert wang.say("50").startswith("给 138****8000 加 50 积分")
