"""One callback, one effect, one answer: repeated, across a restart, at the same moment."""

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.faults.books import CASHIER, await_confirm, count, coupons, inbox, open_shop_books, rows, verifications
from tests.faults.raw import Answer, send_raw
from tests.support.shop import Shop, open_shop
from tests.support.talker import Talker, fields, shown, sign

ISSUE = "确认"


def resigned(talker: Talker, query: dict[str, str], nonce: str) -> dict[str, str]:
    """The same delivery signed anew, as another machine of the platform would."""
    timestamp = str(int(query["timestamp"]) + 5)
    return query | {
        "timestamp": timestamp, "nonce": nonce, "signature": sign(talker.keys.token, timestamp, nonce),
    }  # fmt: skip


def issued(shop: Shop) -> int:
    return count(shop.service, coupons)


def test_a_retry_gets_the_stored_reply(shop: Shop) -> None:
    open_shop_books(shop.service)
    await_confirm(shop.service)
    cashier = shop.talker(CASHIER)
    body, query = cashier.request(cashier.text_xml(ISSUE))
    first = shop.post(body, query)
    assert "满100减20" in shown(first.text)
    shop.clock.forward(seconds=5)
    assert shop.post(body, query).content == first.content, "byte for byte, its CreateTime too"
    assert shop.post(body, resigned(cashier, query, "another")).content == first.content
    assert issued(shop) == 1 and count(shop.service, inbox) == 1
    assert "没有等您确认" in cashier.say(ISSUE), "a new message finds nothing that waits"
    await_confirm(shop.service)
    assert "这笔已经办过了" in cashier.say(ISSUE), "nor does the deed itself happen twice"
    assert issued(shop) == 1


@pytest.mark.parametrize("mode", ["compatible", "aes"])
def test_a_sealed_retry_gets_the_same_words(shop: Shop, mode: str) -> None:
    open_shop_books(shop.service)
    await_confirm(shop.service)
    cashier = shop.talker(CASHIER, mode)
    xml = cashier.text_xml(ISSUE)
    body, query = cashier.request(xml)
    answers = [cashier.open(shop.post(body, query), query["nonce"]) for _ in range(3)]
    again = cashier.send(xml)  # encrypted anew: other random bytes, another nonce, the same message
    assert len({*answers, again}) == 1 and "满100减20" in shown(again)
    assert issued(shop) == 1


def test_the_mode_does_not_make_it_another_message(shop: Shop) -> None:
    open_shop_books(shop.service)
    await_confirm(shop.service)
    plain, sealed = shop.talker(CASHIER), shop.talker(CASHIER, "aes")
    xml = plain.text_xml(ISSUE)
    assert plain.send(xml) == sealed.send(xml)
    assert issued(shop) == 1


def test_a_restart_forgets_nothing(tmp_path: Path, books_url: str) -> None:
    with open_shop(tmp_path, books_url) as shop:
        open_shop_books(shop.service)
        await_confirm(shop.service)
        cashier = shop.talker(CASHIER)
        issue, event = cashier.text_xml(ISSUE), cashier.xml("event", "<Event>subscribe</Event>")
        silent = cashier.xml("event", "<Event>VIEW</Event><EventKey>http://x</EventKey>")
        before = [cashier.send(xml) for xml in (issue, event, silent)]
    with open_shop(tmp_path, books_url) as shop:
        cashier = shop.talker(CASHIER)
        assert [cashier.send(xml) for xml in (issue, event, silent)] == before
        assert issued(shop) == 1 and count(shop.service, inbox) == 3


def test_a_message_id_is_only_its_senders(shop: Shop) -> None:
    """MsgId has collided across users."""
    xml = shop.talker("o-anna").text_xml("帮助")
    other = xml.replace("o-anna", "o-eve")
    assert fields(shop.talker("o-anna").send(xml))["ToUserName"] == "o-anna"
    assert fields(shop.talker("o-eve").send(other))["ToUserName"] == "o-eve"
    assert count(shop.service, inbox) == 2


def test_events_without_an_id(shop: Shop) -> None:
    open_shop_books(shop.service)
    anna = shop.talker("o-anna")
    points = anna.xml("event", "<Event>CLICK</Event><EventKey>points</EventKey>")
    bind = anna.xml("event", "<Event>CLICK</Event><EventKey>bind</EventKey>")
    view = anna.xml("event", "<Event>VIEW</Event><EventKey>bind</EventKey>")
    first = anna.send(bind)
    assert anna.send(bind) == first, "the same event again"
    assert anna.send(points) != first, "another key in the same second is another event"
    assert anna.send(view) == "", "and so is another event with the same key"
    assert count(shop.service, inbox) == 3
    shop.clock.forward(seconds=1)
    later = anna.xml("event", "<Event>CLICK</Event><EventKey>bind</EventKey>")
    assert fields(anna.send(later))["CreateTime"] != fields(first)["CreateTime"]
    assert count(shop.service, inbox) == 4


def test_a_refusal_is_stored_too(shop: Shop) -> None:
    open_shop_books(shop.service)
    cashier = shop.talker(CASHIER)
    xml = cashier.text_xml("发券 13900139000 满100减20")
    refused = cashier.send(xml)
    shop.member("+8613900139000")
    assert cashier.send(xml) == refused and issued(shop) == 0


async def storm(shop: Shop, requests: list[tuple[bytes, dict[str, str]]]) -> list[Answer]:
    """Deliver all of them at once."""
    calls = (send_raw(shop.front, "POST", urlencode(query).encode(), [body]) for body, query in requests)
    return await asyncio.gather(*calls)


def test_two_hundred_at_once_are_one(shop: Shop) -> None:
    open_shop_books(shop.service)
    await_confirm(shop.service)
    cashier = shop.talker(CASHIER)
    body, query = cashier.request(cashier.text_xml(ISSUE))
    requests = [(body, resigned(cashier, query, str(n)) if n % 2 else query) for n in range(200)]
    answers = shop.portal.call(storm, shop, requests)
    assert len({(answer.status, answer.body) for answer in answers}) == 1
    assert answers[0].status == 200 and "满100减20" in shown(answers[0].body.decode())
    assert issued(shop) == 1 and count(shop.service, inbox) == 1


def test_many_people_at_once_keep_their_own_answers_in_order(shop: Shop) -> None:
    """Several messages of each of many people, each twice: one code a person, the first of them."""
    phones = [f"1370013{number:04d}" for number in range(40)]
    requests, owners = [], []
    for number, phone in enumerate(phones):
        talker = Talker(f"o-{number}", shop.talker("x").keys, "plain", shop.post, lambda: 1_772_000_000)
        for words in (f"绑定 {phone}", "帮助", "取消"):
            for _ in range(2):
                requests.append(talker.request(talker.text_xml(words)) if not _ else requests[-1])
                owners.append(talker.openid)
    answers = shop.portal.call(storm, shop, requests)
    assert {answer.status for answer in answers} == {200}
    assert [fields(answer.body.decode())["ToUserName"] for answer in answers] == owners
    for first, second in zip(answers[::2], answers[1::2], strict=True):
        assert first.body == second.body
    for start, phone in zip(range(0, len(answers), 6), phones, strict=True):
        said = [shown(answers[start + step].body.decode()) for step in (0, 2, 4)]
        assert f"{phone[:3]}****{phone[-4:]}" in said[0]
        assert said[2] == shop.service.copy.text("cancelled"), "it came after the code was asked for"
    sent = [row.openid for row in rows(shop.service, verifications)]
    assert sorted(sent) == sorted(f"o-{number}" for number in range(40))
