"""Random words and events through the webhook: no 5xx, an answer wherever one is due, memory flat, the books in order.

In CI a few thousand; `MEMBERBOT_FUZZ=100000 pytest tests/scenarios/test_fuzz_messages.py -s` is the long run.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.running import schedule_of
from members import auditing
from members.tables import Inbox, table
from tests.faults.logged import logged
from tests.faults.raw import Answer
from tests.scenarios.fuzzing import Fuzzer, Sent, no_post
from tests.scenarios.test_webhook_storm import Request, resident, storm
from tests.support.acting import empty_books, hire, issue
from tests.support.shop import KEYS, Shop, open_shop
from tests.support.talker import Talker, fields

MESSAGES = int(os.environ.get("MEMBERBOT_FUZZ", "3000"))
SEED, CHUNK, WARM = 20260403, 1000, 0.2
BAND = 32  # megabytes between the end of the warm-up and the end
BYTES = 2048  # "2048 bytes is the measured limit"
TYPED = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
inbox = table(Inbox)
CROWD = [f"o-fuzz-{number:02d}" for number in range(30)]
SHOP = {
    "shop": {"stores": [{"id": "s1", "name": "一店", "address": "一路1号", "lat": 31.2, "lon": 121.4}]},
    "loyalty": {
        "reward": [{"points": 500, "coupon": "free-soup"}, {"points": 5, "coupon": "one-only"}],
        "checkin": {"points": 1}, "referral": {"inviter": {"points": 1}, "invitee": {"points": 1}},
    },
}  # fmt: skip


def peopled(shop: Shop) -> Shop:
    """Ten strangers, fifteen members who own something, a cashier to a manager."""
    for number, openid in enumerate(CROWD[10:25]):
        member = shop.member(f"+8613800138{number:03d}", points=number * 100, principal=number * 500, openid=openid)
        issue(shop, member, "free-soup", key=openid)
    for openid, role in zip(CROWD[25:], ("cashier", "cashier", "adviser", "manager", "head_office"), strict=True):
        hire(shop, openid, role=role, store=None if role == "head_office" else "s1")
    return shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Shop]:
    """One shop for all that is said here."""
    folder = tmp_path_factory.mktemp("fuzz")
    with open_shop(folder, empty_books(migrated_sqlite, folder), SHOP) as running:
        yield peopled(running)


def wrong(sent: Sent, answer: Answer) -> str:
    """What is wrong with an answer, '' for nothing."""
    if answer.status not in (200, 400, 413) or (sent.legal and answer.status != 200):
        return f"status {answer.status}"
    if answer.status != 200 or not sent.legal:
        return ""
    if answer.body in (b"", b"success"):
        return "silence" if sent.due else ""
    query = dict(parse_qsl(sent.query.decode()))
    talker = Talker(sent.openid, KEYS, "aes" if "msg_signature" in query else "plain", no_post, int)
    said = fields(talker.open(httpx.Response(200, content=answer.body), query["nonce"]))
    if said["ToUserName"] != sent.openid:
        return f"an answer to {said['ToUserName']}"
    if said["MsgType"] == "text" and not 0 < len(said["Content"].encode()) <= BYTES:
        return f"a text of {len(said['Content'].encode())} bytes"
    return "" if said["MsgType"] in ("text", "news", "transfer_customer_service") else said["MsgType"]


def chunk(shop: Shop, fuzzer: Fuzzer, many: int) -> tuple[Counter[int], list[str]]:
    """Send so many; return the statuses, and what was wrong with which kind of body."""
    sent = [fuzzer.next() for _ in range(many)]
    requests: list[Request] = [("POST", one.query, [one.body]) for one in sent]
    answers = shop.portal.call(storm, shop, requests)
    found = [(wrong(one, answer), one) for one, answer in zip(sent, answers, strict=True)]
    bad = [f"{what}: {one.body[:600]!r}" for what, one in found if what]
    return Counter(answer.status for answer in answers), bad


def night(shop: Shop) -> None:
    """A day later, and what the nights in between do: nothing grows for ever."""
    shop.clock.forward(days=1)
    for job in schedule_of(shop.service).jobs:
        job.run(shop.clock.now())


@pytest.mark.slow
@pytest.mark.timeout(0 if MESSAGES > 10_000 else 300)
def test_nothing_they_say_breaks_it(shop: Shop) -> None:
    fuzzer, statuses, sizes = Fuzzer(SEED, CROWD), Counter[int](), list[int]()
    with logged() as lines:
        for start in range(0, MESSAGES, CHUNK):
            found, bad = chunk(shop, fuzzer, min(CHUNK, MESSAGES - start))
            assert bad == [], bad[:5]
            statuses += found
            night(shop)
            sizes.append(resident())
            assert incidents(shop) == [], lines.getvalue()[-4000:]
            lines.seek(0)
            text = lines.read()
            assert "Traceback" not in text and '"level": "error"' not in text, text[-4000:]
            lines.seek(0)
            lines.truncate()
    warm = sizes[int(len(sizes) * WARM)]
    print(f"{sum(statuses.values())} deliveries: {dict(statuses)}; {warm} MB warm, {sizes[-1]} MB at the end")
    assert sum(statuses.values()) == MESSAGES and set(statuses) <= {200, 400, 413}
    assert statuses[200] > MESSAGES * 0.8, statuses
    assert sizes[-1] - warm < BAND, f"megabytes after each {CHUNK}: {sizes}"
    with shop.service.database.reading() as connection:
        assert auditing.breaches(connection, now=shop.clock.now()) == []


def incidents(shop: Shop) -> list[str]:
    """The messages that ended in an apology."""
    with shop.service.database.reading() as connection:
        return list(connection.execute(select(inbox.c.reply).where(inbox.c.incident != "")).scalars())


@pytest.mark.parametrize("openid", [CROWD[0], CROWD[12], CROWD[25]], ids=["stranger", "member", "cashier"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(TYPED), min_size=1, max_size=3))
def test_whatever_is_typed_is_answered(shop: Shop, openid: str, lines: list[str]) -> None:
    for line in lines:
        xml = shop.talker(openid).send(shop.talker(openid).text_xml(line))
        assert xml, f"silence to {line!r}"
        assert "编号 " not in xml or not incidents(shop), line


def test_the_same_seed_says_the_same() -> None:
    first, second = ([(one.openid, one.due, one.legal) for one in (fuzzer.next() for _ in range(200))]
                     for fuzzer in (Fuzzer(SEED, CROWD), Fuzzer(SEED, CROWD)))  # fmt: skip
    assert first == second
    assert {(due, legal) for _, due, legal in first} >= {(True, True), (False, True)}
