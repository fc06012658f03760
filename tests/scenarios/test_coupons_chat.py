"""One coupon in chat: shown with QR and token, given to a friend, booked; through the whole signed app."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from members import coupons, member_code
from tests.support.acting import empty_books, issue, messages
from tests.support.shop import Shop, open_shop

COUPONS = {
    "mine": {"title": "八元券", "off": 8, "valid": "14 days", "transferable": True},
    "course": {
        "title": "烘焙课", "experience": "烘焙课一次", "valid": "20 days",
        "slots": {"at": ["10:00"], "capacity": 1, "days_ahead": 3},
    },
    "later": {"title": "双十一", "off": 1, "since": "2026-11-11"},
}  # fmt: skip


@pytest.fixture
def shop(books_url: str, tmp_path: Path) -> Iterator[Shop]:
    """A shop with coupons of every kind; wrong codes are counted up to three."""
    with open_shop(tmp_path, books_url, {"coupons": COUPONS, "staff": {"wrong_codes": 3}}) as found:
        yield found


def anna(shop: Shop, *templates: str) -> tuple[int, list[coupons.Issued]]:
    """Anna, and what she was given, expiring first."""
    member = shop.member("+8613800138000", openid="o-anna")
    return member, [issue(shop, member, template, key=template) for template in templates]


def redeem(shop: Shop, code: str) -> Any:
    """Redeem at the till, by code or token."""
    with shop.service.database.transaction() as connection:
        vault, now = shop.service.vault, shop.clock.now()
        return coupons.redeem(connection, code, by="till", store=None, now=now, vault=vault)


def digits(said: str) -> str:
    """The fifteen digits of a token as they are shown."""
    found = re.search(r"\d{5} \d{5} \d{5}", said)
    assert found is not None, said
    return found[0].replace(" ", "")


def test_a_whole_pack_is_listed_and_each_of_it_shown_by_its_number(shop: Shop) -> None:
    member = shop.member("+8613800138000", openid="o-anna")
    issued = [issue(shop, member, "mine", key=f"{number}", title=f"第{number}样九折") for number in range(1, 13)]
    said = shop.talker("o-anna").say("优惠券")
    assert re.findall(r"^\d+\. (第\d+样九折)", said, re.MULTILINE) == [one.title for one in issued]
    assert "还有" not in said.replace("还剩", "") and "12. 第12样九折(2026年3月16日 前有效)" in said
    assert coupons.spell(issued[11].code) in shop.talker("o-anna").say("12")


def test_a_list_of_coupons_never_outgrows_one_answer(shop: Shop) -> None:
    member = shop.member("+8613800138000", openid="o-anna")
    for number in range(30):
        issue(shop, member, "mine", key=f"{number}", title=f"{number:02}" + "鲜" * 38)
    said = shop.talker("o-anna").say("优惠券")
    listed = re.findall(r"^\d+\. ", said, re.MULTILINE)
    assert 5 < len(listed) < 13 and f"还有 {30 - len(listed)} 张" in said
    assert len(said.encode()) < 2000 and said.endswith("回复序号看其中一张。")


def test_one_coupon_by_number_or_code_with_a_token_for_the_till(shop: Shop) -> None:
    _, [first, second] = anna(shop, "mine", "course")
    said = shop.talker("o-anna").say("优惠券 1")
    assert said.splitlines()[:4] == ["八元券", f"券码 {coupons.spell(first.code)}", "2026年3月16日 前有效", (
        "用法:结账时出示券码即可使用。"
    )]  # fmt: skip
    assert "转赠 1" in said
    assert shop.talker("o-anna").say(f"优惠券 {coupons.spell(first.code)}").splitlines()[0] == "八元券"
    token = digits(shop.talker("o-anna").say("第二张优惠券"))
    assert redeem(shop, token).id == second.id
    assert "没有这一张" in shop.talker("o-anna").say("优惠券 2")
    assert "没有这一张" in shop.talker("o-anna").say("优惠券 0")
    assert "没有这一张" in shop.talker("o-anna").say(f"优惠券 {second.code}")


def test_the_token_is_a_picture_where_the_shop_has_an_address(tmp_path: Path, migrated_sqlite: Path) -> None:
    changes = {"wechat": {"public_url": "https://shop.example"}, "coupons": COUPONS}
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), changes) as shop:
        _, [issued] = anna(shop, "mine")
        assert shop.talker("o-anna").say("优惠券").splitlines()[-1] == "回复序号看其中一张。"
        answer = shop.talker("o-anna").send(shop.talker("o-anna").text_xml("优惠券 1"))
        xml = answer if isinstance(answer, str) else str(answer)
        token = member_code.coupon_token(shop.service.vault, issued.id, shop.clock.now())
        assert f"https://shop.example/qr/{token}.png" in xml and "八元券" in xml
        picture = shop.request("GET", f"/qr/{token}.png")
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
        width, height = struct.unpack(">2I", picture.content[16:24])
        assert width / height >= 2.35, "a card's cover is cut to that: a square code would lose its top and bottom"
        width, height = struct.unpack(">2I", shop.request("GET", f"/qr/{token}").content[16:24])
        assert width == height >= 200


def test_a_coupon_of_the_future_says_from_when(shop: Shop) -> None:
    anna(shop, "later")
    assert "2026年11月11日 起可用" in shop.talker("o-anna").say("优惠券 1")


def test_a_coupon_goes_to_a_friend_in_chat(shop: Shop) -> None:
    _, [issued] = anna(shop, "mine")
    shop.member("+8613900139000", openid="o-bert")
    offered = shop.talker("o-anna").say("转赠 1")
    line = next(line for line in offered.splitlines() if line.startswith("领取"))
    assert issued.code not in line.replace("-", "")
    assert "您自己的券" in shop.talker("o-anna").say(line)
    claimed = shop.talker("o-bert").say(line)
    assert claimed.startswith("「八元券」归您了!") and coupons.spell(issued.code) not in claimed
    assert "已经被领走" in shop.talker("o-bert").say(line)
    [told] = messages(shop, "o-anna")
    assert told.content["text"] == "朋友已领取您转赠的「八元券」。"
    assert "没有可用的优惠券" in shop.talker("o-anna").say("优惠券")
    assert "八元券" in shop.talker("o-bert").say("优惠券")


def test_the_whole_message_may_be_pasted(shop: Shop) -> None:
    anna(shop, "mine")
    shop.member("+8613900139000", openid="o-bert")
    passed_on = shop.talker("o-anna").say("转赠 1").split("——")[0]
    assert "归您了" in shop.talker("o-bert").say(passed_on)


def test_what_may_be_given_is_listed_and_taken_back(shop: Shop) -> None:
    anna(shop, "mine", "course")
    assert shop.talker("o-anna").say("转赠").splitlines()[1:] == ["1. 八元券"]
    assert "不能转赠" in shop.talker("o-anna").say("转赠 2")
    line = next(line for line in shop.talker("o-anna").say("转赠 1").splitlines() if line.startswith("领取"))
    assert "已收回" in shop.talker("o-anna").say("取消转赠 1")
    assert "没有在转赠中" in shop.talker("o-anna").say("取消转赠 1")
    shop.member("+8613900139000", openid="o-bert")
    assert "收回" in shop.talker("o-bert").say(line)
    assert "没有可以转赠" in shop.talker("o-bert").say("转赠")


def test_strangers_are_asked_to_bind_first(shop: Shop) -> None:
    for words in ("领取 K7QF-2MDX-9TA0", "转赠 1", "优惠券 1", "预约 1"):
        assert "先绑定会员" in shop.talker("o-nobody").say(words)


def test_guessing_words_ends_in_a_wait_that_outlives_the_refusal(shop: Shop) -> None:
    anna(shop, "mine")
    shop.member("+8613900139000", openid="o-bert")
    line = next(line for line in shop.talker("o-anna").say("转赠 1").splitlines() if line.startswith("领取"))
    for _ in range(3):
        assert "没有这个领取码" in shop.talker("o-bert").say(f"领取 {coupons.spell(coupons.new_code())}")
    assert "请过30分钟再试" in shop.talker("o-bert").say(line)
    shop.clock.forward(minutes=30)
    assert "归您了" in shop.talker("o-bert").say(line)


def test_an_appointment_is_booked_and_given_up(shop: Shop) -> None:
    anna(shop, "mine", "course")
    listed = shop.talker("o-anna").say("预约").splitlines()
    assert listed[1:] == [f"{no}. 2026年3月{day}日 10:00(还有 1 位)" for no, day in enumerate((3, 4, 5), 1)]
    assert shop.talker("o-anna").say("预约 2 2").startswith("「烘焙课」约好了:2026年3月4日 10:00。")
    assert "已预约 2026年3月4日 10:00" in shop.talker("o-anna").say("优惠券 2")
    bert = shop.member("+8613900139000", openid="o-bert")
    issue(shop, bert, "course", key="bert")
    assert "3月4日" not in shop.talker("o-bert").say("预约 1")
    assert "已取消" in shop.talker("o-anna").say("取消预约 2")
    assert "没有可以取消" in shop.talker("o-anna").say("取消预约 2")
    assert "3月4日" in shop.talker("o-bert").say("预约 1")
    assert "没有可以预约的券" in shop.talker("o-anna").say("预约 1")


def test_several_experiences_are_told_apart(shop: Shop) -> None:
    member, _ = anna(shop, "course")
    issue(shop, member, "course", key="second")
    assert "请回复「预约」加券的编号" in shop.talker("o-anna").say("预约")
    assert "约好了" in shop.talker("o-anna").say("预约 1 1")
    assert "约好了" in shop.talker("o-anna").say("预约 2 1")
