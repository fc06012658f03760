"""Who writes traditional characters is answered in them, by whatever way the answer goes; codes and addresses stay."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from members import outbox, scripts
from members.tables import Coupon, Follower, Member, table
from scheduler import shots
from scheduler.channels import Channel
from tests.support.acting import empty_books, issue
from tests.support.shop import Shop, open_shop
from tests.support.talker import shown

PHONE = "+8613800138000"
STORE = {
    "id": "s1",
    "name": "邻家生鲜 人民路店",
    "address": "黄浦区",
    "lat": 31.2277,
    "lon": 121.4912,
    "hours": "08:00-22:00",
}
followers = table(Follower)


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop with a member and a store."""
    with open_shop(tmp_path, books_url, {"shop": {"stores": [STORE]}}) as running:
        running.member(PHONE, points=12, openid="o-anna")
        yield running


@pytest.fixture
def local(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Shop]:
    """The same on SQLite."""
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), {"shop": {"stores": [STORE]}}) as running:
        running.member(PHONE, points=12, openid="o-anna")
        yield running


def script_of(shop: Shop, openid: str) -> str:
    with shop.service.database.reading() as connection:
        found: str = connection.execute(select(followers.c.script).where(followers.c.openid == openid)).scalar_one()
    return found


def test_the_very_answer_is_traditional_and_so_are_the_next(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert "您現有 12 積分" in anna.say("我的積分")
    assert script_of(shop, "o-anna") == "hant"
    assert "您現有 12 積分" in anna.say("jifen"), "Latin letters change nothing"
    assert "您現有 12 積分" in anna.click("points"), "nor does a tap"
    assert "歡迎回來" in anna.event("SCAN", EventKey="x")


def test_clearly_simplified_words_bring_simplified_back(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("積分")
    assert "您现有" in anna.say("积分")
    assert script_of(shop, "o-anna") == ""
    anna.say("積分")
    assert "您現有" in anna.say("jifen")


@pytest.mark.parametrize("words", ["你好", "取消", "后", "台北", "OK", "👍", "12", "？"])
def test_what_both_write_changes_nothing(local: Shop, words: str) -> None:
    anna = local.talker("o-anna")
    anna.say("積分")
    anna.say(words)
    assert script_of(local, "o-anna") == "hant"


def test_a_voice_and_a_tap_show_no_script(local: Shop) -> None:
    anna = local.talker("o-anna")
    anna.say("積分")
    inner = f"<MediaId>m</MediaId><Recognition>积分。</Recognition><MsgId>{next(anna.ids)}</MsgId>"
    assert "您現有" in shown(anna.send(anna.xml("voice", inner)))
    xml = anna.text_xml("积分").replace("</xml>", "<bizmsgmenuid>1</bizmsgmenuid></xml>")
    assert "您現有" in shown(anna.send(xml))


def test_codes_and_addresses_survive(shop: Shop) -> None:
    with shop.service.database.reading() as connection:
        member = connection.execute(select(table(Member).c.id)).scalar_one()
    issue(shop, member, "free-soup", key="k")
    anna = shop.talker("o-anna")
    said = anna.say("優惠券")
    with shop.service.database.reading() as connection:
        code = connection.execute(select(table(Coupon).c.code)).scalar_one()
    assert code.replace("-", "") in said.replace("-", "").replace(" ", "") and "免費例湯" in said
    xml = anna.send(anna.text_xml("人民路門店"))
    assert "鄰家生鮮 人民路店" in shown(xml)
    assert "%E9%82%BB%E5%AE%B6" in xml, "the address of the map keeps the name it was made of"


def test_what_waited_comes_along_in_traditional(local: Shop) -> None:
    now = local.clock.now()
    with local.service.database.transaction() as connection:
        message = outbox.Message(
            "k", "notice", ("next_reply",), {"text": "您的优惠券到账了"}, "test", now, now + timedelta(days=1),
            openid="o-anna",
        )  # fmt: skip
        outbox.put(connection, message, now=now)
    said = local.talker("o-anna").say("積分")
    assert "您現有" in said and "您的優惠券到賬了" in said.replace("帳", "賬")


def test_what_is_delivered_later_is_traditional(tmp_path: Path, migrated_sqlite: Path) -> None:
    url = empty_books(migrated_sqlite, tmp_path)
    with open_shop(tmp_path, url) as shop:
        shop.member(PHONE, points=12, openid="o-anna")
        shop.talker("o-anna").say("積分")
        now = shop.clock.now()
        sent: list[Any] = []
        with shop.service.database.transaction() as connection:
            for key, openid in (("a", "o-anna"), ("b", "o-ben")):
                items = [{"id": "1", "content": "优惠券"}]
                content = {"text": "您好", "type": "msgmenu", "head": "还需要什么", "tail": "", "items": items}
                message = outbox.Message(
                    key, "notice", ("service",), content, "test", now, now + timedelta(days=1), openid=openid
                )
                outbox.put(connection, message, now=now)
        shop.talker("o-ben").say("积分")
        with shop.service.database.transaction() as connection:
            for row in outbox.claim_due(connection, now, many=10, lease=timedelta(minutes=1)):
                shot = shots.aim(
                    connection, shop.service.vault, shop.service.config.push_rules, row, Channel.SERVICE, now
                )
                assert isinstance(shot, shots.Shot)
                sent.append((shot.data["head"], shot.data["items"]))
        assert sent == [
            ("還需要什麼", [{"id": "1", "content": "優惠券"}]), ("还需要什么", [{"id": "1", "content": "优惠券"}]),
        ]  # fmt: skip


def test_leaving_forgets_the_script(local: Shop) -> None:
    anna = local.talker("o-anna")
    anna.say("積分")
    anna.event("unsubscribe")
    assert "欢迎" in anna.event("subscribe")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("積分", "hant"), ("积分", ""), ("餘額還有多少", "hant"), ("余额", ""), ("台北的門店", "hant"),
        ("吃了么", None), ("乾坤", None), ("皇后大道", None), ("", None), ("abc", None), ("会員", "hant"), ("里面", None), ("优惠", ""),
    ],
)  # fmt: skip
def test_which_script_is_written(text: str, found: str | None) -> None:
    assert scripts.written(text) == found


@given(st.text())
def test_any_text_is_read_and_ascii_is_never_touched(text: str) -> None:
    assert scripts.written(text) in (None, "", "hant")
    assert scripts.spoken(text, "") == text
    kept = "".join(c for c in text if c.isascii() and c != "\0")
    assert "".join(c for c in scripts.spoken(text, "hant") if c.isascii()) == kept
