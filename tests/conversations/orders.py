"""What the @ lines do: to the shop before a conversation, to the clock and the books during it."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

import httpx
from sqlalchemy import func, or_, select

from bot.running import schedule_of
from members import children, coupons, decisions, identity, ledger, tiers
from members.tables import Coupon, Handoff, Member, Outbox, table
from tests.conversations.stage import Stage
from tests.conversations.talk import Expect, Order
from tests.support.acting import buy, hire, issue
from tests.support.shop import KEYS

UNITS = {"秒": "seconds", "分钟": "minutes", "小时": "hours", "天": "days"}
ACCOUNTS = {"积分": "points", "本金": "principal", "赠送": "gift"}
ROLES = {"收银员": "cashier", "顾问": "adviser", "店长": "manager", "总部": "head_office"}
DERIVED = frozenset(("过", "短信", "做"))
"""What moves a conversation on; the others look, or try the service, and a variation passes over them."""


def carry_out(stage: Stage, order: Order, *, varied: bool = False) -> None:
    """Do what a line orders; AssertionError tells the line that was not fulfilled."""
    if order.name not in ORDERS:
        raise AssertionError(f"line {order.line}: there is no order @ {order.name}")
    if varied and order.name not in DERIVED:
        return
    try:
        ORDERS[order.name](stage, stage.filled(order.words))
    except AssertionError as error:
        raise AssertionError(f"line {order.line}: @ {order.name} {order.words}: {error}") from error


def _member(stage: Stage, words: str) -> None:
    who, phone, *owned = words.split()
    amounts = dict(zip(owned[::2], map(int, owned[1::2]), strict=True))
    stage.members[who] = stage.shop.member(
        f"+86{phone}", points=amounts.pop("积分", 0), principal=amounts.pop("本金", 0) * 100,
        gift=amounts.pop("赠送", 0) * 100, openid=stage.openid(who),
    )  # fmt: skip
    assert not amounts, f"what is {amounts}?"


def _device(stage: Stage, words: str) -> None:
    second, _, owner = words.split()
    device(stage, second, owner)


def device(stage: Stage, second: str, owner: str) -> None:
    """Give a member another openid."""
    with stage.shop.service.database.transaction() as connection:
        identity.add(
            connection, stage.members[owner], "openid", KEYS.app_id, stage.openid(second), source="test",
            now=stage.clock.now(),
        )  # fmt: skip


def _staff(stage: Stage, words: str) -> None:
    who, role, *store = words.split()
    hire(stage.shop, stage.openid(who), name=who, role=ROLES[role], store=store[0] if store else None)


def _coupon(stage: Stage, words: str) -> None:
    who, template = words.split()
    issue(stage.shop, stage.members[who], template, key=f"talk:{who}:{template}:{stage.clock.now():%d%H%M%S}")


def _bought(stage: Stage, words: str) -> None:
    who, ago, *lines = words.split()
    when = stage.clock.now() - timedelta(days=int(ago.removesuffix("天前")))
    parts = [re.fullmatch(r"(.+)\*(\d+)=(\d+)元", line) for line in lines]
    assert all(parts), "写作 名称*数量=金额元"
    bought = [(found[1], int(found[2]), int(found[3]) * 100) for found in parts if found]
    buy(stage.shop, stage.members[who], when, bought)


def _decided(stage: Stage, words: str) -> None:
    who, campaign, template, reason = words.split()
    with stage.shop.service.database.transaction() as connection:
        decisions.record(
            connection, stage.members[who], campaign=campaign, template=template, reason=reason, trace={},
            now=stage.clock.now(),
        )  # fmt: skip


def _pass(stage: Stage, words: str) -> None:
    number, unit = words.split()
    stage.clock.forward(**{UNITS[unit]: float(number)})


def _restart(stage: Stage, words: str) -> None:
    stage.close()


def _again(stage: Stage, words: str) -> None:
    last = stage.last
    assert last is not None
    answer = stage.deliver(last.talker, last.body, last.query)
    assert answer.xml == last.xml, f"the same delivery is answered otherwise: {answer.text}"


def _sms(stage: Stage, words: str) -> None:
    who, name = (part.strip() for part in words.split("->"))
    stage.known[name] = stage.shop.code_for(stage.openid(who))[1]


def _books(stage: Stage, words: str) -> None:
    who, *pairs = words.split()
    member = stage.members.get(who) or _member_of(stage, who)
    assert member is not None, f"{who} is nobody"
    wanted = dict(zip(pairs[::2], pairs[1::2], strict=True))
    with stage.shop.service.database.reading() as connection:
        owned, now = ledger.balances(connection, member), stage.clock.now()
        found = {name: str(owned[kind] // (1 if kind == "points" else 100)) for name, kind in ACCOUNTS.items()}
        found["券"] = str(coupons.count_usable(connection, member, now))
        found["等级"] = str(tiers.of_member(connection, member))
        state = select(table(Member).c.state).where(table(Member).c.id == member)
        found["状态"] = str(connection.execute(state).scalar_one())
        if "孩子" in wanted:
            found["孩子"] = str(len(children.of_member(connection, stage.shop.service.vault, member)))
        sold = select(func.count()).where(table(Coupon).c.member_id == member, table(Coupon).c.state == "redeemed")
        found["已用券"] = str(connection.execute(sold).scalar_one())
    assert {name: found[name] for name in wanted} == wanted


def _member_of(stage: Stage, who: str) -> int | None:
    with stage.shop.service.database.reading() as connection:
        return identity.find(connection, "openid", stage.openid(who), KEYS.app_id)


def _remember(stage: Stage, words: str) -> None:
    """Give the member who has come about in the talk a name for @ 账, also for when they are gone."""
    member = _member_of(stage, words)
    assert member is not None, f"{words} is no member"
    stage.members[words] = member


def _nobody(stage: Stage, words: str) -> None:
    assert _member_of(stage, words) is None, f"{words} is still a member"


def _told(stage: Stage, words: str) -> None:
    who, _, expected = words.replace(":", ":").partition(":")
    outbox = table(Outbox)
    who = who.strip()
    member = stage.members.get(who) or _member_of(stage, who)
    to_them = or_(outbox.c.openid == stage.openid(who), outbox.c.openid.is_(None) & (outbox.c.member_id == member))
    mine = to_them & (outbox.c.kind != "code")
    with stage.shop.service.database.reading() as connection:
        rows = connection.execute(select(outbox.c.content).where(mine).order_by(outbox.c.id)).scalars().all()
    texts = [str(row.get("text", row)) for row in rows]
    pattern = Expect("is", expected.strip(), 0).pattern(stage.known)
    found = [match for text in texts if (match := pattern.fullmatch(text))]
    assert found, f"told were {texts}"
    stage.known |= found[-1].groupdict()


def _job(stage: Stage, words: str) -> None:
    [job] = [job for job in schedule_of(stage.shop.service).jobs if job.name == words]
    job.run(stage.clock.now())


def _page(stage: Stage, words: str) -> None:
    link, _, more = words.partition(" ")
    url = httpx.URL(link)
    answer = stage.shop.request("GET", url.raw_path.decode())
    kind, _, text = more.partition(" ")
    if kind == "状态":
        assert answer.status_code == int(text), answer.status_code
        return
    assert answer.status_code == 200, (answer.status_code, answer.text)
    assert (text in answer.text) == (kind == "有"), answer.text[:2000]


def _handed(stage: Stage, words: str) -> None:
    """Whether a person's conversation is a human's now."""
    who, answer = words.split()
    mine = (table(Handoff).c.openid == stage.openid(who)) & table(Handoff).c.ended_at.is_(None)
    wanted = select(func.count()).where(mine, table(Handoff).c.until > stage.clock.now())
    with stage.shop.service.database.reading() as connection:
        found = connection.execute(wanted).scalar_one()
    assert bool(found) == (answer == "是")


ORDERS: Mapping[str, Callable[[Stage, str], None]] = {
    "会员": _member, "另一台": _device, "店员": _staff, "券": _coupon, "买过": _bought, "因为": _decided,
    "过": _pass, "重启": _restart, "重发": _again, "短信": _sms, "账": _books, "认得": _remember, "不是会员": _nobody,
    "通知": _told, "做": _job, "网页": _page, "转人工中": _handed,
}  # fmt: skip
