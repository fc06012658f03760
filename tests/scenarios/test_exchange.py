"""A member turns points into things by chat: shown, chosen, said once more, done once; and reads the books' end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from members import auditing, ledger, points, replay, statements
from members.audit import Actor
from members.tables import PointLot, table
from tests.support.acting import empty_books
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
LOYALTY: dict[str, Any] = {
    "reward": [{"points": 500, "coupon": "free-soup"}, {"points": 200, "coupon": "one-only"}],
    "partners": {"air": {"title": "航空里程", "points": 100, "units": 40, "unit": "里", "at_least": 300}},
    "earn": {"pending_days": 7, "refunds": "may_go_negative"},
}
OFFER = [
    "您有 1,250 积分,可以兑换:",
    "1. 唯一券 — 200 积分",
    "2. 航空里程 — 每 100 积分换 40里",
    "3. 免费例汤 — 500 积分",
    "请回复序号选择,不换了请回复「取消」。",
]


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop with two rewards and a partner."""
    with open_shop(tmp_path, books_url, {"loyalty": LOYALTY}) as running:
        yield running


def owned(shop: Shop, member: int) -> dict[str, int]:
    """What the member has, where it is not zero; the books are sound."""
    with shop.service.database.reading() as connection:
        assert auditing.breaches(connection, now=shop.clock.now()) == []
        assert replay.rebuild(connection) == replay.stored(connection)
        return {kind: many for kind, many in ledger.balances(connection, member).items() if many}


def test_a_reward_is_listed_chosen_confirmed_and_given_once(shop: Shop) -> None:
    member, anna = shop.member(PHONE, points=1250, openid="o-anna"), shop.talker("o-anna")
    assert anna.say("兑换").splitlines() == OFFER
    assert anna.say("3") == "要用 500 积分兑换「免费例汤」吗?\n请回复「确认」兑换,不换了请回复「取消」。"
    assert owned(shop, member) == {"points": 1250}
    done = anna.say("确认").splitlines()
    assert done[0] == "兑换成功!用去 500 积分,得「免费例汤」"
    assert done[2] == "2026年4月1日 前有效。您还有 750 积分。"
    assert "兑换成功" not in anna.say("确认")
    assert owned(shop, member) == {"points": 750}
    assert done[1].removeprefix("券码 ") in anna.say("优惠券")


@pytest.mark.parametrize("word", ["免费例汤", "3", "3", "三", "第三个", "选3", "3。", "换免费例汤"])
def test_a_choice_may_be_said_in_many_ways(shop: Shop, word: str) -> None:
    shop.member(PHONE, points=1250, openid="o-anna")
    anna = shop.talker("o-anna")
    anna.say("兑换")
    assert anna.say(word).startswith("要用 500 积分兑换「免费例汤」吗?")


def test_points_go_to_a_partner(shop: Shop) -> None:
    member, anna = shop.member(PHONE, points=1250, openid="o-anna"), shop.talker("o-anna")
    anna.say("积分兑换")
    assert anna.say("2") == "航空里程:每 100 积分换 40里。\n要用多少积分?最多 1,200。不换了请回复「取消」。"
    assert anna.say("250") == "换航空里程至少要 300 积分,而且要是 100 的整数倍。"
    assert anna.say("2000").startswith("您现有 1,250 积分,不够这次兑换。")
    assert anna.say("800").startswith("要用 800 积分兑换航空里程 320里吗?")
    assert anna.say("确认") == "兑换成功!用去 800 积分,得航空里程 320里。您还有 450 积分。"
    assert owned(shop, member) == {"points": 450, "wallet:air": 320}


def test_cancelling_at_any_step_changes_nothing(shop: Shop) -> None:
    member, anna = shop.member(PHONE, points=1250, openid="o-anna"), shop.talker("o-anna")
    for steps in (["兑换"], ["兑换", "1"], ["兑换", "2"], ["兑换", "2", "300"]):
        for step in steps:
            anna.say(step)
        assert anna.say("取消") == "好的,已取消。"
        assert "兑换成功" not in anna.say("确认")
    assert owned(shop, member) == {"points": 1250}


def test_another_question_in_between_and_a_number_that_is_none_of_them(shop: Shop) -> None:
    member, anna = shop.member(PHONE, points=1250, openid="o-anna"), shop.talker("o-anna")
    anna.say("兑换")
    assert anna.say("4") == "请回复 1 到 3 的序号,不换了请回复「取消」。"
    assert anna.say("0").startswith("请回复 1 到 3 的序号")
    assert "您现有 1,250 积分。" in anna.say("积分")
    assert anna.say("1").startswith("要用 200 积分兑换「唯一券」吗?")
    shop.clock.forward(minutes=11)
    assert "兑换成功" not in anna.say("确认")
    assert owned(shop, member) == {"points": 1250}


def test_what_was_spent_meanwhile_is_not_spent_again(shop: Shop) -> None:
    member, anna = shop.member(PHONE, points=500, openid="o-anna"), shop.talker("o-anna")
    anna.say("兑换")
    anna.say("免费例汤")
    with shop.service.database.transaction() as connection:
        points.spend(connection, member, 100, key="x", by=Actor("test"), reason="兑换", now=shop.clock.now())
    assert anna.say("确认") == "余额不足,没有做任何变动。"
    assert owned(shop, member) == {"points": 400}


def test_the_last_copy_goes_to_one_and_the_other_keeps_their_points(shop: Shop) -> None:
    names = ("o-anna", "o-ben")
    ids = [shop.member(f"+861380013800{n}", points=200, openid=name) for n, name in enumerate(names)]
    for name in names:
        assert shop.talker(name).say("兑换").startswith("要用 200 积分兑换「唯一券」吗?")
    assert shop.talker("o-anna").say("确认").startswith("兑换成功!")
    assert shop.talker("o-ben").say("确认") == "「唯一券」已经发完了。"
    assert [owned(shop, member) for member in ids] == [{}, {"points": 200}]


def test_too_few_points_say_how_far_the_nearest_is(shop: Shop) -> None:
    shop.member(PHONE, points=150, openid="o-anna")
    assert shop.talker("o-anna").say("兑换") == "您有 150 积分,再攒 50 积分可换「唯一券」。"


def test_a_shop_without_rewards_says_so(tmp_path: Path, migrated_sqlite: Path) -> None:
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), {"loyalty": {"reward": []}}) as shop:
        shop.member(PHONE, points=150, openid="o-anna")
        assert shop.talker("o-anna").say("兑换") == "本店暂时没有积分兑换。回复「积分」看看有多少积分。"


def test_a_stranger_is_asked_to_bind_and_numbers_mean_nothing_to_them(shop: Shop) -> None:
    stranger = shop.talker("o-new")
    assert stranger.say("兑换").startswith("这要先绑定会员。")
    assert stranger.say("1").startswith("这句我还没听懂。")
    assert stranger.say("对账").startswith("这要先绑定会员。")


def test_the_statement_shows_the_head_that_the_file_ends_with(shop: Shop) -> None:
    member, anna = shop.member(PHONE, points=1250, principal=100_00, gift=5_00, openid="o-anna"), shop.talker("o-anna")
    said = anna.say("对账").splitlines()
    with shop.service.database.reading() as connection:
        lines = list(statements.as_text(statements.statement(connection, member)))
    assert said[:5] == [
        f"您的账目(会员编号 {member}):", "积分 1,250", "本金 ¥100.00", "赠送 ¥5.00", "共 3 笔,账链末端",
    ]  # fmt: skip
    assert said[5] == statements.short(statements.examine(lines).head)
    assert statements.verify(lines) == []
    anna.say("兑换")
    anna.say("1")
    anna.say("确认")
    assert anna.say("对账").splitlines()[5] != said[5]


def test_pending_points_and_debts_are_told_where_there_are_any(shop: Shop) -> None:
    member, anna = shop.member(PHONE, openid="o-anna"), shop.talker("o-anna")
    rules, by, now = shop.service.config.rules, Actor("test"), shop.clock.now()
    with shop.service.database.transaction() as connection:
        for key, many in (("a", 30), ("b", 12)):
            points.give(
                connection, rules, member, many, key=key, kind="earn", by=by, reason="消费", now=now, pending=True
            )
    assert anna.say("积分").splitlines()[1] == "另有 42 积分待生效,最早 2026年3月10日 可用。"
    with shop.service.database.transaction() as connection:
        points.take_back(connection, rules, member, 7, order=None, key="c", by=by, reason="退货", now=now)
    said = anna.say("积分").splitlines()
    assert said[2] == "有 7 积分待扣回,以后得到的积分会先用来抵扣。"
    assert {"待生效积分 42", "待扣回积分 7"} <= set(anna.say("对账").splitlines())


def test_points_about_to_run_out_are_not_offered_after_they_did(shop: Shop) -> None:
    member, anna = shop.member(PHONE, points=500, openid="o-anna"), shop.talker("o-anna")
    anna.say("兑换")
    anna.say("1")
    lot = table(PointLot)
    with shop.service.database.transaction() as connection:
        connection.execute(update(lot).where(lot.c.member_id == member).values(expires_at=shop.clock.now()))
    assert anna.say("确认") == "余额不足,没有做任何变动。"
