"""注销: what goes is named, exact words and a proof are asked for, it cools down, and then the person is gone."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from members import auditing, balance, consent, erasing, identity, ledger, outbox, replay
from members.audit import Actor
from members.tables import Child, Coupon, Erasure, Follower, Identity, Member, MemberKey, MemberTag, Outbox, table
from scheduler.jobs import build_jobs
from tests.support.acting import become_member, buy, deeds, in_days, issue, messages
from tests.support.shop import Shop, open_shop

PHONE = "+8613800138000"
members, erasures, rows = table(Member), table(Erasure), table(Outbox)


@pytest.fixture
def member(shop: Shop) -> int:
    """A member who owns something of everything but principal."""
    found = shop.member(PHONE, points=1200, gift=2000, openid="o-anna")
    buy(shop, found, in_days(shop, -3), [("鲜奶", 2, 2400)])
    issue(shop, found, "off-20-over-100", key="k1")
    return found


def state(shop: Shop, member: int) -> str:
    """The member's state."""
    with shop.service.database.reading() as connection:
        return str(connection.execute(select(members.c.state).where(members.c.id == member)).scalar_one())


def wishes(shop: Shop) -> list[str]:
    """The states of all wishes to be erased."""
    with shop.service.database.reading() as connection:
        return list(connection.scalars(select(erasures.c.state).order_by(erasures.c.id)))


def job(shop: Shop) -> str:
    """Run the job that forgets whoever is due."""
    service = shop.service
    jobs = build_jobs(
        service.database, service.vault, service.config.push_rules, say=service.copy.text,
        app=service.config.wechat.app_id,
    )  # fmt: skip
    return next(one for one in jobs if one.name == "erase").run(service.clock.now())


def ask(shop: Shop, openid: str = "o-anna") -> str:
    """Go through the whole conversation; return the last answer."""
    anna = shop.talker(openid)
    assert "确认注销" in anna.say("注销")
    assert "验证码已发送" in anna.say("确认注销")
    return anna.say(shop.code_for(openid)[1])


def push(shop: Shop, member: int, key: str) -> None:
    """Put an offer in the outbox that leaves with the next message."""
    now = shop.clock.now()
    message = outbox.Message(
        key, "marketing", ("next_reply",), {"text": f"推送{key}"}, "test", now, now + timedelta(days=9), member=member
    )
    with shop.service.database.transaction() as connection:
        outbox.put(connection, message, now=now)


def sound(shop: Shop) -> None:
    """The books are whole."""
    with shop.service.database.reading() as connection:
        assert auditing.breaches(connection, now=shop.clock.now()) == []
        assert replay.rebuild(connection) == replay.stored(connection)


def test_what_goes_is_named_and_only_exact_words_count(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    said = anna.say("注销")
    for lost in ("1,200 积分", "赠送金 ¥20.00", "1 张优惠券", "普卡等级", "7天冷静期", "「确认注销」"):
        assert lost in said
    assert "本金" not in said
    assert len(said.splitlines()) <= 8
    for other in ("确认", "好的", "可以确认注销吗", "怎么注销"):
        anna.say(other)
    assert messages(shop, "o-anna", "code") == []
    anna.say("取消")
    assert "一并失效" in anna.say("确认注销"), "the words alone, unasked, only explain"
    assert "一切照旧" in anna.say("取消注销")
    assert "验证码" not in anna.say("确认注销")
    assert wishes(shop) == []


def test_the_phone_is_proved_and_another_question_may_come_between(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("注销")
    assert "138****8000" in anna.say("确认注销")
    assert "积分" in anna.say("积分")
    assert "验证码不对" in anna.say("000000" if shop.code_for("o-anna")[1] != "000000" else "111111")
    said = anna.say(shop.code_for("o-anna")[1])
    assert "2026年3月10日 之后完成" in said and "撤销注销" in said
    assert wishes(shop) == ["waiting"]
    assert state(shop, member) == "active"
    assert "您已申请注销" in anna.say("注销")
    assert "您已申请注销" in anna.say("确认注销")
    assert "注销申请中" in anna.say("资料")
    assert wishes(shop) == ["waiting"]


def test_the_cool_down_can_be_withdrawn_from_any_device(shop: Shop, member: int) -> None:
    with shop.service.database.transaction() as connection:
        app = shop.service.config.wechat.app_id
        identity.add(connection, member, "openid", app, "o-tablet", source="test", now=shop.clock.now())
    ask(shop)
    assert len(messages(shop, "o-tablet")) == 1
    assert messages(shop, "o-anna") == []
    shop.clock.forward(days=6)
    assert "注销已撤销" in shop.talker("o-tablet").say("撤销注销")
    assert "没有申请注销" in shop.talker("o-anna").say("撤销注销")
    shop.clock.forward(days=10)
    assert "注销 0 位" in job(shop)
    assert (state(shop, member), wishes(shop)) == ("active", ["withdrawn"])
    ask(shop)
    assert wishes(shop) == ["withdrawn", "waiting"]


def test_nothing_is_pushed_while_it_cools_down(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("注销")
    anna.say("确认注销")
    push(shop, member, "before")
    assert "推送" not in anna.say(shop.code_for("o-anna")[1])
    push(shop, member, "after")
    assert "推送" not in anna.say("积分")
    with shop.service.database.reading() as connection:
        states = dict(connection.execute(select(rows.c.key, rows.c.state).where(rows.c.kind == "marketing")).all())
        assert states == {"before": "cancelled", "after": "cancelled"}
        assert erasing.waiting_members(connection) == {member}
    anna.say("撤销注销")
    push(shop, member, "later")
    assert "推送later" in anna.say("积分")


def test_the_person_goes_and_the_books_stay(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    for words in ("生日 5月3日", "确认", "宝宝2023年6月1日出生", "确认", "每月最多2条"):
        anna.say(words)
    ask(shop)
    shop.clock.forward(days=7)
    assert "注销 0 位" in job(shop), "the last day is theirs"
    shop.clock.forward(days=1)
    assert "注销 1 位会员,0 位" in job(shop)
    assert "注销 0 位" in job(shop)
    sound(shop)
    with shop.service.database.reading() as connection:
        row = connection.execute(select(members).where(members.c.id == member)).one()
        assert (row.state, row.birthday, row.attention, row.tier) == ("erased", None, None, "")
        assert set(ledger.balances(connection, member).values()) == {0}
        assert connection.execute(select(table(MemberKey)).where(table(MemberKey).c.member_id == member)).all() == []
        for gone in (Child, MemberTag):
            assert connection.execute(select(table(gone)).where(table(gone).c.member_id == member)).all() == []
        ties = connection.execute(select(table(Identity)).where(table(Identity).c.member_id == member)).all()
        assert all(tie.ended_at and tie.sealed is None and tie.value.startswith("erased:") for tie in ties)
        assert connection.execute(select(table(Coupon).c.state)).scalar_one() == "void"
        dumped = json.dumps([list(one) for one in connection.execute(select(rows))], default=str)
        assert "o-anna" not in dumped
        assert connection.execute(select(table(Follower).c.scene)).scalars().all() == [""]
    assert len(deeds(shop, "member.erase")) == 1
    assert "绑定" in anna.say("积分")


def test_the_same_phone_makes_a_new_member(shop: Shop, member: int) -> None:
    ask(shop)
    shop.clock.forward(days=9)
    job(shop)
    assert "欢迎成为" in become_member(shop, "o-anna", PHONE)
    assert "0 积分" in shop.talker("o-anna").say("积分")
    with shop.service.database.reading() as connection:
        assert identity.find_by_phone(connection, shop.service.vault, PHONE) != member
    sound(shop)


def test_principal_is_never_forfeited(shop: Shop, member: int) -> None:
    service = shop.service
    by = Actor("staff:1", "s1")
    with service.database.transaction() as connection:
        balance.top_up(connection, service.config.rules, member, 10000, key="t1", by=by, now=shop.clock.now())
    anna = shop.talker("o-anna")
    assert "储值本金 ¥100.00 是您的钱" in anna.say("注销")
    assert "储值本金 ¥100.00" in ask(shop)
    shop.clock.forward(days=8)
    assert "注销 0 位会员,1 位还要等待" in job(shop)
    assert "1 位还要等待" in job(shop)
    told = messages(shop, "o-anna")
    assert len(told) == 1, "told once"
    assert "先到门店办理退款" in told[0].content["text"]
    assert state(shop, member) == "active"
    sound(shop)
    with service.database.transaction() as connection:
        balance.cash_out(connection, member, 10000, key="c1", by=by, now=shop.clock.now())
    assert "注销 1 位" in job(shop)
    assert state(shop, member) == "erased"
    sound(shop)


def test_the_flow_expires_and_a_late_code_begins_nothing(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("注销")
    shop.clock.forward(minutes=11)
    assert "一并失效" in anna.say("确认注销")
    anna.say("确认注销")
    code = shop.code_for("o-anna")[1]
    anna.say("取消")
    assert "没有等待中的验证码" in anna.say(code)
    assert wishes(shop) == []


def test_a_stranger_has_nothing_to_erase(shop: Shop) -> None:
    anna = shop.talker("o-x")
    for words in ("注销", "确认注销"):
        assert "没有您的会员资料" in anna.say(words)
    assert "没有申请注销" in anna.say("撤销注销")


def test_refusals_stay_as_proof(shop: Shop, member: int) -> None:
    shop.talker("o-anna").say("退订")
    ask(shop)
    shop.clock.forward(days=9)
    job(shop)
    with shop.service.database.reading() as connection:
        assert not consent.may_market(connection, member)


def test_it_survives_a_restart_between_any_two_turns(tmp_path: Path, books_url: str) -> None:
    turns = ["注销", "确认注销", "code", "撤销注销"]
    with open_shop(tmp_path, books_url) as shop:
        shop.member(PHONE, openid="o-anna")
    answers = []
    for place, words in enumerate(turns):
        with open_shop(tmp_path, books_url) as shop:
            shop.clock.forward(seconds=place)
            answers.append(shop.talker("o-anna").say(shop.code_for("o-anna")[1] if words == "code" else words))
    for expected, said in zip(("确认注销", "验证码已发送", "之后完成", "注销已撤销"), answers, strict=True):
        assert expected in said


def test_a_repeated_callback_begins_one_erasure(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("注销")
    first = anna.text_xml("确认注销")
    assert anna.send(first) == anna.send(first)
    assert len(messages(shop, "o-anna", "code")) == 1
    code = anna.text_xml(shop.code_for("o-anna")[1])
    assert anna.send(code) == anna.send(code)
    assert wishes(shop) == ["waiting"]
