"""Where people come from: scenes, the welcome they get, first and last touch, leaving and coming back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from members import arrivals, shops
from members.arrivals import Scene
from members.tables import Arrival, Follower, Handoff, Identity, Member, Outbox, table
from tests.support.acting import become_member, deeds, hire, issue
from tests.support.shop import Shop, open_shop

PHONE, TYPED = "+8613800138000", "13800138000"
STORES = {
    "shop": {"stores": [{"id": "s1", "name": "邻家生鲜 人民路店"}, {"id": "s2", "name": "邻家生鲜 静安店"}]},
    "campaigns": {
        "春日尝鲜": {
            "kind": "personal_offer", "to": "全部会员", "schedule": {"every": "week", "day": "monday", "at": "10:00"},
            "offer": {"template": "free-soup"}, "say": "{coupon}", "channels": ["service"], "expires": "3 days",
        }
    },
}  # fmt: skip
rows, members, followers = table(Arrival), table(Member), table(Follower)


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop with two stores."""
    with open_shop(tmp_path, books_url, STORES) as running:
        yield running


def follows(shop: Shop, openid: str, scene: str = "") -> str:
    """Somebody follows, by a code or by search; a minute goes by."""
    shop.clock.forward(minutes=1)
    key = {"EventKey": f"qrscene_{scene}", "Ticket": "t"} if scene else {"EventKey": ""}
    return shop.talker(openid).event("subscribe", **key)


def scans(shop: Shop, openid: str, scene: str) -> str:
    """A follower scans a code; a minute goes by."""
    shop.clock.forward(minutes=1)
    return shop.talker(openid).event("SCAN", EventKey=scene, Ticket="t")


def kept(shop: Shop) -> list[Any]:
    """All arrivals, the oldest first."""
    with shop.service.database.reading() as connection:
        return list(connection.execute(select(rows).order_by(rows.c.id)))


def home_of(shop: Shop, member: int) -> str | None:
    with shop.service.database.reading() as connection:
        found: str | None = connection.execute(select(members.c.home_store).where(members.c.id == member)).scalar_one()
    return found


@pytest.mark.parametrize(
    ("scene", "said", "kind", "ref"),
    [
        ("s_s1", "欢迎光临邻家生鲜 人民路店", "store", "s1"), ("store:s2", "欢迎光临邻家生鲜 静安店", "store", "s2"),
        ("u_1", "小王在邻家生鲜等您", "staff", "1"), ("staff:1", "小王在邻家生鲜等您", "staff", "1"),
        ("c_春日尝鲜", "欢迎参加「春日尝鲜」", "campaign", "春日尝鲜"),
        ("r_K7QF2MDX9T", "您的朋友请您来", "referral", "K7QF2MDX9T"),
        ("", "欢迎来到邻家生鲜", "search", ""), ("table_8", "欢迎来到邻家生鲜", "other", ""),
        ("s_nowhere", "欢迎来到邻家生鲜", "other", ""), ("u_99", "欢迎来到邻家生鲜", "other", ""),
        ("u_1; DROP", "欢迎来到邻家生鲜", "other", ""),
        ("u_٣", "欢迎来到邻家生鲜", "other", ""), ("s_", "欢迎来到", "other", ""),
    ],
)  # fmt: skip
def test_the_welcome_and_the_attribution_follow_the_scene(
    shop: Shop, scene: str, said: str, kind: str, ref: str
) -> None:
    hire(shop, "o-wang", store="s1", role="adviser")
    assert said in follows(shop, "o-anna", scene)
    (row,) = kept(shop)
    assert (row.kind, row.ref, row.scene, row.event, row.openid) == (kind, ref, scene, "subscribe", "o-anna")


def test_an_adviser_who_has_left_is_not_announced(shop: Shop) -> None:
    adviser = hire(shop, "o-wang", store="s1", role="adviser")
    with shop.service.database.transaction() as connection:
        shops.revoke_staff(connection, adviser, now=shop.clock.now())
    assert "小王" not in follows(shop, "o-anna", f"u_{adviser}")
    assert kept(shop)[0].kind == "staff"


def test_first_and_last_touch_are_the_members_for_ever(shop: Shop) -> None:
    follows(shop, "o-anna", "c_春日尝鲜")
    scans(shop, "o-anna", "s_s2")
    become_member(shop, "o-anna", TYPED)
    scans(shop, "o-anna", "s_s1")
    found = kept(shop)
    assert {row.member_id for row in found} == {found[0].member_id} and found[0].member_id is not None
    with shop.service.database.reading() as connection:
        touches = arrivals.owed_to(connection, found[0].member_id)
    assert touches is not None
    assert [touch.ref for touch in touches] == ["春日尝鲜", "s2"], "what came after binding recruited nobody"
    assert home_of(shop, found[0].member_id) == "s2"


def test_the_store_of_the_code_becomes_home_only_where_there_is_none(shop: Shop) -> None:
    member = shop.member(PHONE)
    with shop.service.database.transaction() as connection:
        connection.execute(update(members).where(members.c.id == member).values(home_store="s1"))
    follows(shop, "o-anna", "s_s2")
    become_member(shop, "o-anna", TYPED)
    assert home_of(shop, member) == "s1"


def test_a_staff_code_leads_home_to_their_store(shop: Shop) -> None:
    hire(shop, "o-wang", store="s2", role="adviser")
    follows(shop, "o-anna", "u_1")
    become_member(shop, "o-anna", TYPED)
    assert home_of(shop, kept(shop)[0].member_id) == "s2"


def test_scanning_in_store(shop: Shop) -> None:
    follows(shop, "o-anna")
    said = scans(shop, "o-anna", "s_s1")
    assert "欢迎光临邻家生鲜 人民路店" in said and "绑定" in said
    member = shop.member(PHONE)
    issue(shop, member, "free-soup", key="k")
    become_member(shop, "o-anna", TYPED)
    said = scans(shop, "o-anna", "s_s1")
    assert "欢迎光临邻家生鲜 人民路店" in said and "1 张优惠券" in said and "会员码" in said
    assert "欢迎回来" in scans(shop, "o-anna", "table_8")


def test_leaving_deletes_what_came_from_wechat_and_keeps_the_books(shop: Shop) -> None:
    member = shop.member(PHONE, points=9)
    follows(shop, "o-anna", "s_s1")
    become_member(shop, "o-anna", TYPED)
    anna = shop.talker("o-anna")
    issue(shop, member, "free-soup", key="k")
    anna.event("LOCATION", Latitude="31.2", Longitude="121.4", Precision="60")
    anna.say("轉人工")
    assert anna.event("unsubscribe") == ""
    with shop.service.database.reading() as connection:
        assert connection.execute(select(followers)).all() == []
        for other in (Arrival, Handoff):
            assert connection.execute(select(table(other).c.openid)).scalars().all() == [None]
        outbox = table(Outbox)
        left = connection.execute(select(outbox.c.state).where(outbox.c.openid == "o-anna")).scalars().all()
        assert set(left) <= {"cancelled"}
        identities = table(Identity)
        tie = connection.execute(select(identities).where(identities.c.kind == "openid")).one()
    assert (tie.ended_by, tie.ended_at) == ("unfollow", shop.clock.now())
    assert [row.member_id for row in kept(shop)] == [member]
    assert deeds(shop, "identity.unbind")[-1].detail == {"why": "unfollow"}


def test_coming_back_takes_the_phone_and_gives_nothing_twice(shop: Shop) -> None:
    member = shop.member(PHONE, points=9)
    follows(shop, "o-anna", "c_春日尝鲜")
    become_member(shop, "o-anna", TYPED)
    anna = shop.talker("o-anna")
    anna.event("unsubscribe")
    shop.clock.forward(days=3)
    assert "欢迎回来" in follows(shop, "o-anna", "s_s1")
    assert "先绑定会员" in anna.say("积分")
    assert "绑定成功" in become_member(shop, "o-anna", TYPED)
    assert "您现有 9 积分" in anna.say("积分")
    with shop.service.database.reading() as connection:
        touches = arrivals.owed_to(connection, member)
    assert touches is not None and touches[0].ref == "春日尝鲜"


def test_who_never_was_a_member_is_no_returning_one(shop: Shop) -> None:
    follows(shop, "o-anna")
    shop.talker("o-anna").event("unsubscribe")
    assert "欢迎来到" in follows(shop, "o-anna")


def test_leaving_twice_and_leaving_as_a_stranger_break_nothing(shop: Shop) -> None:
    for _ in range(2):
        shop.clock.forward(seconds=2)
        assert shop.talker("o-nobody").event("unsubscribe") == ""
    assert "欢迎来到" in follows(shop, "o-nobody")


def test_a_deleted_wechat_account_is_left_like_an_unfollowed_one(shop: Shop) -> None:
    shop.member(PHONE)
    become_member(shop, "o-anna", TYPED)
    platform = shop.talker("gh_platform")
    inner = "<Event>user_authorization_cancellation</Event><OpenID>o-anna</OpenID><AppID>wx</AppID>"
    assert platform.send(platform.xml("event", inner)) == ""
    with shop.service.database.reading() as connection:
        assert connection.execute(select(followers)).all() == []
    assert "先绑定会员" in shop.talker("o-anna").say("积分")


def test_an_authorisation_taken_back_takes_the_place_along_and_nothing_else(shop: Shop) -> None:
    shop.talker("o-anna").say("你好")
    with shop.service.database.transaction() as connection:
        connection.execute(update(followers).values(near_store="s1", near_at=shop.clock.now()))
    platform = shop.talker("gh_platform")
    inner = "<Event>user_authorization_revoke</Event><OpenID>o-anna</OpenID><AppID>wx</AppID><RevokeInfo>1</RevokeInfo>"
    assert platform.send(platform.xml("event", inner)) == ""
    with shop.service.database.reading() as connection:
        row = connection.execute(select(followers)).one()
    assert (row.openid, row.near_store, row.near_at) == ("o-anna", None, None)


@given(st.text(max_size=80))
def test_any_scene_is_read_and_fits(text: str) -> None:
    scene = arrivals.read(text)
    assert len(scene.text) <= 64 and text.startswith(scene.text)
    assert (scene.kind == "search") == (text == "")


@pytest.mark.parametrize("kind", ["store", "staff", "campaign", "referral"])
def test_a_scene_that_is_made_is_read_back(kind: str) -> None:
    text = arrivals.scene_of(kind, "x" * 62)
    assert arrivals.read(text) == Scene(kind, "x" * 62, text)
    for ref in ("", "x" * 63):
        with pytest.raises(ValueError, match="_"):
            arrivals.scene_of(kind, ref)
