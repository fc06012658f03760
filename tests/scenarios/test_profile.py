"""The profile in chat: what we know on one screen, the birthday, children and their stages of life."""

from datetime import date

import pytest
from sqlalchemy import select

from members import identity
from members.tables import Child, ConsentEvent, Conversation, Member, MemberTag, table
from scheduler.jobs import build_jobs
from tests.support.acting import deeds, in_days
from tests.support.shop import Shop

PHONE = "+8613800138000"
members, children, tags = table(Member), table(Child), table(MemberTag)


@pytest.fixture
def member(shop: Shop) -> int:
    """A bound member; it is 2 March 2026."""
    return shop.member(PHONE, openid="o-anna")


def birthday(shop: Shop, member: int) -> date | None:
    """The birthday in the books."""
    with shop.service.database.reading() as connection:
        return connection.execute(select(members.c.birthday).where(members.c.id == member)).scalar_one()


def stages(shop: Shop, member: int) -> list[str]:
    """The stages of the member's children."""
    kept = select(children.c.stage).where(children.c.member_id == member, children.c.ended_at.is_(None))
    with shop.service.database.reading() as connection:
        return list(connection.scalars(kept.order_by(children.c.id)))


def carried(shop: Shop, member: int) -> set[str]:
    """The tags the member carries."""
    with shop.service.database.reading() as connection:
        return set(connection.scalars(select(tags.c.tag).where(tags.c.member_id == member, tags.c.ended_at.is_(None))))


def job(shop: Shop, name: str) -> str:
    """Run a job of the installation now."""
    service = shop.service
    jobs = build_jobs(
        service.database, service.vault, service.config.push_rules, say=service.copy.text,
        app=service.config.wechat.app_id,
    )  # fmt: skip
    return next(one for one in jobs if one.name == name).run(service.clock.now())


def test_the_profile_is_one_screen(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    said = anna.say("资料")
    assert "138****8000" in said and "生日 未填" in said and "孩子 未填" in said and "普卡" in said
    assert PHONE[3:] not in said
    assert len(said.splitlines()) <= 8
    anna.say("生日 5月3日")
    anna.say("确认")
    anna.say("宝宝2023年6月1日出生")
    anna.say("确认")
    anna.say("每月最多2条")
    anna.say("退订 补货提醒")
    anna.say("不要个性化")
    said = anna.say("我的资料")
    assert "生日 5月3日" in said and "宝宝1-2岁" in said and "30天最多2条" in said
    assert "已退订 补货提醒" in said and "个性化推荐:关" in said
    assert len(said.splitlines()) <= 8


@pytest.mark.parametrize(
    ("words", "born", "shown"),
    [
        ("生日 5月3日", date(1904, 5, 3), "5月3日"),
        ("我的生日是1990-05-03", date(1990, 5, 3), "1990年5月3日"),
        ("把生日改成五月三号", date(1904, 5, 3), "5月3日"),
        ("生日:1990年5月3日", date(1990, 5, 3), "1990年5月3日"),
        ("我的生日是2月29日", date(1904, 2, 29), "2月29日"),
        ("我是90年5月3日出生的", date(1990, 5, 3), "1990年5月3日"),
    ],
)
def test_a_birthday_is_said_in_one_go(shop: Shop, member: int, words: str, born: date, shown: str) -> None:
    anna = shop.talker("o-anna")
    said = anna.say(words)
    assert f"记为 {shown}(公历)" in said and "确认" in said
    assert birthday(shop, member) is None
    assert shown in anna.say("确认")
    assert birthday(shop, member) == born


def test_a_birthday_is_asked_for_and_the_flow_is_left_by_anything(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    assert "公历生日" in anna.say("修改生日")
    assert "公历生日" in anna.say("农历二月初二")
    assert "积分" in anna.say("积分")
    assert "记为 5月3日" in anna.say("5月3号")
    assert "记为 5月4日" in anna.say("5.4")
    assert "已取消" in anna.say("取消")
    anna.say("确认")
    assert birthday(shop, member) is None
    assert "公历生日" in anna.say("生日")
    shop.clock.forward(minutes=11)
    anna.say("5月3日")
    anna.say("确认")
    assert birthday(shop, member) is None


def test_a_birthday_changes_once_a_year(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    for words in ("生日 5月3日", "确认"):
        anna.say(words)
    assert "已经是您登记的生日" in anna.say("生日 5月3日")
    assert "一年只能改一次" in anna.say("生日 6月3日")
    shop.clock.forward(days=366)
    assert "记为 6月3日" in anna.say("生日 6月3日")
    anna.say("确认")
    assert birthday(shop, member) == date(1904, 6, 3)
    assert len(deeds(shop, "member.birthday")) == 2


def test_two_echoes_at_once_set_one_birthday(shop: Shop, member: int) -> None:
    with shop.service.database.transaction() as connection:
        identity.add(
            connection, member, "openid", shop.service.config.wechat.app_id, "o-two", source="t", now=in_days(shop, 0)
        )
    anna, other = shop.talker("o-anna"), shop.talker("o-two")
    anna.say("生日 5月3日")
    other.say("生日 6月3日")
    assert "记下了" in anna.say("确认")
    assert "一年只能改一次" in other.say("确认")
    assert birthday(shop, member) == date(1904, 5, 3)


def test_wrong_birthdays_are_refused(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    assert "监护人" in anna.say("我的生日是2015-05-03")
    assert "好像不对" in anna.say("我的生日是2027-05-03")
    anna.say("确认")
    assert birthday(shop, member) is None


def test_a_child_is_kept_sealed_with_consent(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    said = anna.say("宝宝2025年6月1日出生")
    assert "敏感个人信息" in said and "监护人" in said and "「宝宝6-12月」" in said
    assert stages(shop, member) == []
    with shop.service.database.reading() as connection:
        row = connection.execute(select(table(Conversation))).one()
        assert row.data == {} and b"2025" not in row.sealed
    assert "宝宝6-12月" in anna.say("确认")
    assert stages(shop, member) == ["6-12m"]
    assert carried(shop, member) == {"宝宝6-12月"}
    with shop.service.database.reading() as connection:
        assert b"2025" not in connection.execute(select(children.c.sealed)).scalar_one()
        events = connection.execute(select(table(ConsentEvent).c.topic, table(ConsentEvent).c.granted)).all()
        assert [tuple(event) for event in events] == [("child", True)]
    assert "已经记下了" in anna.say("宝宝2025年6月1日出生") + anna.say("确认")


def test_who_does_not_consent_leaves_nothing(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    anna.say("我家宝宝2岁了")
    anna.say("取消")
    anna.say("确认")
    assert stages(shop, member) == []
    assert carried(shop, member) == set()


def test_stages_move_along_and_end_at_fourteen(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    for words in ("预产期今年3月", "确认", "儿子2012年4月1日出生", "确认"):
        anna.say(words)
    assert stages(shop, member) == ["pregnancy", "7-14y"]
    assert "0 个孩子" in job(shop, "children")
    shop.clock.forward(days=30)
    assert "2 个孩子" in job(shop, "children")
    assert stages(shop, member) == ["0-6m"]
    assert carried(shop, member) == {"宝宝0-6月"}
    assert "0 个孩子" in job(shop, "children")
    with shop.service.database.reading() as connection:
        grown = connection.execute(select(children.c.sealed).where(children.c.ended_at.is_not(None))).scalar_one()
        assert grown == b""
    assert "宝宝 2026年3月30日 出生" in anna.say("宝宝2026年3月30日出生")
    anna.say("确认")
    assert stages(shop, member) == ["0-6m"], "the birth takes the place of the due date"


def test_a_child_is_removed_the_one_or_the_chosen(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    assert "没有登记" in anna.say("删除宝宝资料")
    for words in ("宝宝2023年6月1日出生", "确认", "女儿2020年6月1日出生", "确认"):
        anna.say(words)
    said = anna.say("删除宝宝资料")
    assert "1. 第1个(宝宝1-2岁)" in said and "3. 全部" in said
    assert stages(shop, member) == ["1-2y", "3-6y"]
    assert "已删除" in anna.say("2")
    assert stages(shop, member) == ["1-2y"]
    assert carried(shop, member) == {"宝宝1-2岁"}
    assert "已删除" in anna.say("删除宝宝资料")
    assert stages(shop, member) == [] and carried(shop, member) == set()


def test_dates_that_fit_no_child_are_refused(shop: Shop, member: int) -> None:
    anna = shop.talker("o-anna")
    for words in ("儿子2001年4月1日出生", "预产期2029年3月"):
        assert "不合适" in anna.say(words)
    assert "出生日期" in anna.say("宝宝生日6月1日"), "without a year nobody knows the age"
    assert "宝宝 2024年6月1日 出生" in anna.say("2024年6月1日")
    assert stages(shop, member) == []


def test_a_stranger_is_asked_to_bind(shop: Shop) -> None:
    for words in ("资料", "生日 5月3日", "宝宝2023年6月1日出生", "每月最多2条", "导出我的数据"):
        assert "绑定" in shop.talker("o-x").say(words)
