"""Delivery: which channel, what each answer of the platform leads to, and that nothing goes out twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from members import consent, identity, outbox, people
from members.tables import Delivery, Follower, Outbox, table
from scheduler.channels import Outcome, SendResult
from scheduler.delivery import LEASE, Deliverer, DeliveryRound
from scheduler.shots import LOOK_AGAIN
from tests.scheduler.small_shop import APP, MILK, MONDAY, FakeWire, SmallShop

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PHONE = "+8613800138000"
LOST = SendResult(Outcome.UNKNOWN, "ReadTimeout")


class Desk:
    """A shop, its wire and its deliverer."""

    def __init__(self, shop: SmallShop) -> None:
        self.shop, self.wire = shop, FakeWire()
        self.deliverer = Deliverer(shop.database, shop.vault, self.wire, shop.rules)

    def put(self, key: str, *, kind: str = "marketing", channels: str = "service next_reply", **more: Any) -> int:
        """Put a message in the outbox on Monday at ten."""
        fields: dict[str, Any] = {
            "content": {"text": key}, "reason": "r", "not_before": MONDAY, "expires_at": MONDAY + 7 * DAY,
        }  # fmt: skip
        message = outbox.Message(key=key, kind=kind, channels=channels.split(), **{**fields, **more})
        with self.shop.database.transaction() as connection:
            row = outbox.put(connection, message, now=MONDAY)
        assert row is not None
        return row

    def round(self, now: datetime = MONDAY) -> DeliveryRound:
        """Deliver all that is due."""
        return self.deliverer.deliver_all(now)

    def message(self, row: int) -> Any:
        """The message as it stands now."""
        return next(one for one in self.shop.outbox() if one.id == row)

    def attempts(self, row: int) -> list[tuple[str, str, str]]:
        """(channel, outcome, errcode) of every attempt."""
        rows = table(Delivery)
        with self.shop.database.reading() as connection:
            found = connection.execute(select(rows).where(rows.c.outbox_id == row).order_by(rows.c.id))
            return [(one.channel, one.outcome, one.errcode) for one in found]

    def follower(self, openid: str) -> Any:
        """The follower's row."""
        with self.shop.database.reading() as connection:
            return connection.execute(select(table(Follower)).where(table(Follower).c.openid == openid)).one()

    def waiting(self, member: int, openid: str, now: datetime) -> list[int]:
        """What would leave with the person's message now."""
        with self.shop.database.transaction() as connection:
            return [row.id for row in outbox.waiting(connection, [member], [openid], now)]

    def consents(self, openid: str) -> int | None:
        """How many sends of the subscription are left."""
        with self.shop.database.reading() as connection:
            return consent.topics(connection, consent.of_openid(openid))["subscription:sub-1"][1]

    def accepts(self, openid: str, times: int = 1) -> None:
        """The person accepts the subscription pop-up."""
        with self.shop.database.transaction() as connection:
            for _ in range(times):
                consent.add_one(connection, openid, "sub-1", source="test", now=MONDAY)


@pytest.fixture
def desk(shop: SmallShop) -> Desk:
    """The desk of the small shop."""
    return Desk(shop)


def test_an_open_window_takes_five_and_the_rest_waits(desk: Desk) -> None:
    member = desk.shop.member("oA", wrote=MONDAY - HOUR)
    rows = [desk.put(f"m{number}", member=member) for number in range(7)]
    done = desk.round()
    assert (done["sent"], done["waiting"]) == (5, 2)
    assert [what["text"] for _, _, what in desk.wire.sent] == ["m0", "m1", "m2", "m3", "m4"]
    assert [desk.message(row).state for row in rows] == ["sent"] * 5 + ["pending"] * 2
    assert desk.follower("oA").message_used == 5
    assert desk.round(MONDAY + MINUTE).claimed == 0
    assert desk.waiting(member, "oA", MONDAY + MINUTE) == rows[5:]


def test_an_action_opens_three_for_a_minute_before_the_message_window(desk: Desk) -> None:
    member = desk.shop.member("oA", wrote=MONDAY - HOUR)
    with desk.shop.database.transaction() as connection:
        people.touch(connection, ["oA"], "action", MONDAY - 59 * SECOND)
    for number in range(4):
        desk.put(f"m{number}", member=member)
    assert desk.round()["sent"] == 4
    assert (desk.follower("oA").action_used, desk.follower("oA").message_used) == (3, 1)


@pytest.mark.parametrize(("wrote", "sent"), [(48 * HOUR - SECOND, 1), (48 * HOUR, 0)])
def test_a_window_closes_after_48_hours(desk: Desk, wrote: timedelta, sent: int) -> None:
    member = desk.shop.member("oA", wrote=MONDAY - wrote)
    desk.put("m", member=member)
    assert desk.round()["sent"] == sent


def test_who_unfollowed_is_not_written_to(desk: Desk) -> None:
    member = desk.shop.member("oA", wrote=MONDAY - HOUR)
    with desk.shop.database.transaction() as connection:
        people.unfollow(connection, "oA")
    desk.put("m", member=member)
    assert desk.round()["waiting"] == 1
    assert desk.wire.sent == []


def test_what_waits_leaves_with_the_next_message_or_at_once_after_it(desk: Desk) -> None:
    member = desk.shop.member("oA")
    with_reply, without = desk.put("a", member=member), desk.put("b", member=member, channels="service")
    assert desk.round()["waiting"] == 2
    assert desk.round(MONDAY + HOUR).claimed == 0
    later = MONDAY + 2 * HOUR
    desk.shop.writes("oA", later)
    assert desk.waiting(member, "oA", later) == [with_reply]
    with desk.shop.database.transaction() as connection:
        assert outbox.hand_over(connection, with_reply, later)
        assert not outbox.hand_over(connection, with_reply, later)
    assert desk.round(later)["sent"] == 1
    assert (desk.message(with_reply).channel, desk.message(without).channel) == ("next_reply", "service")
    assert desk.attempts(with_reply) == [("next_reply", "accepted", "")]


def test_a_reply_does_not_carry_what_delivery_has_claimed(desk: Desk) -> None:
    member = desk.shop.member("oA")
    row = desk.put("a", member=member)
    with desk.shop.database.transaction() as connection:
        assert len(outbox.claim_due(connection, MONDAY, many=9, lease=LEASE)) == 1
        assert not outbox.hand_over(connection, row, MONDAY)


def test_quiet_hours_hold_pushes_back_but_no_replies_and_no_answers(desk: Desk) -> None:
    night = MONDAY + 12 * HOUR
    member = desk.shop.member("oA", wrote=night - MINUTE)
    push = desk.put("push", member=member)
    notice, late = desk.put("notice", kind="notice", member=member), desk.put("late", kind="late_reply", openid="oA")
    done = desk.round(night)
    assert (done["sent"], done["waiting"]) == (2, 1)
    assert [desk.message(row).state for row in (push, notice, late)] == ["pending", "sent", "sent"]
    assert desk.waiting(member, "oA", night + MINUTE) == [push]
    assert desk.round(MONDAY + 22 * HOUR + 29 * MINUTE).claimed in (0, 1)
    assert desk.message(push).state == "pending"
    assert desk.round(MONDAY + 22 * HOUR + 30 * MINUTE)["sent"] == 1


def test_a_code_goes_first_by_sms_and_its_secret_is_dropped(desk: Desk) -> None:
    member = desk.shop.member("oA", wrote=MONDAY - HOUR)
    desk.put("push", member=member)
    sealed = desk.shop.vault.seal_system("code", json.dumps({"phone": PHONE, "code": "123456"}))
    row = desk.put(
        "code:1", kind="code", channels="sms", openid="oB", sealed=sealed, not_before=MONDAY + HOUR,
        content={"template": "verify", "minutes": 5}, expires_at=MONDAY + 2 * HOUR,
    )  # fmt: skip
    assert desk.round(MONDAY + HOUR)["sent"] == 2
    assert desk.wire.sent[0] == ("sms", PHONE, "【小店】验证码 123456,5分钟内有效,请勿告诉他人。")
    assert desk.message(row).sealed is None


def test_an_expired_message_is_never_sent(desk: Desk) -> None:
    member = desk.shop.member("oA")
    row = desk.put("m", member=member)
    desk.round()
    desk.shop.writes("oA", MONDAY + 7 * DAY)
    assert desk.waiting(member, "oA", MONDAY + 7 * DAY) == []
    assert desk.round(MONDAY + 7 * DAY)["expired"] == 1
    assert desk.message(row).state == "expired"
    assert desk.wire.sent == []


def refuse_all(desk: Desk, member: int) -> None:
    with desk.shop.database.transaction() as connection:
        subject = consent.of_member(member)
        consent.answer(connection, subject, consent.MARKETING, False, source="test", now=MONDAY)


def refuse_this_campaign(desk: Desk, member: int) -> None:
    with desk.shop.database.transaction() as connection:
        subject = consent.of_member(member)
        consent.answer(connection, subject, "marketing:c", False, source="test", now=MONDAY)


def refuse_personal(desk: Desk, member: int) -> None:
    with desk.shop.database.transaction() as connection:
        consent.personalise(connection, member, False, source="test", now=MONDAY)


def buy_it(desk: Desk, member: int) -> None:
    desk.shop.buys(member, MILK, date(2026, 11, 16))


@pytest.mark.parametrize(
    ("happens", "note"),
    [
        (refuse_all, "会员已退订"), (refuse_this_campaign, "会员已退订"),
        (refuse_personal, "会员选择了不要个性化"), (buy_it, "会员已经买了"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by_reply", [False, True])
def test_what_happens_after_the_plan_still_stops_it(
    desk: Desk, happens: Callable[[Desk, int], None], note: str, by_reply: bool
) -> None:
    now = MONDAY + 3 * HOUR
    member = desk.shop.member("oA", wrote=now)
    content = {"text": "m", "personal": True, "until_bought": MILK}
    row = desk.put("m", kind="reminder", member=member, campaign="c", content=content)
    notice = desk.put("n", kind="notice", member=member, campaign="c", channels="next_reply")
    happens(desk, member)
    if by_reply:
        assert desk.waiting(member, "oA", now) == [notice]
    else:
        assert desk.round(now)["cancelled"] == 1
        assert desk.wire.sent == []
    assert (desk.message(row).state, desk.message(row).note) == ("cancelled", note)


def test_a_closed_window_is_learnt_and_the_next_channel_tried(desk: Desk) -> None:
    member = desk.shop.member("oA", wrote=MONDAY - HOUR)
    desk.accepts("oA")
    notice = {"template_id": "sub-1", "data": {"thing1": "鲜奶"}}
    row = desk.put(
        "m", kind="reminder", member=member, channels="service subscription next_reply",
        content={"text": "m", "subscription": notice},
    )  # fmt: skip
    desk.wire.answers = [SendResult.of(45015)]
    assert desk.round()["sent"] == 1
    assert desk.attempts(row) == [("service", "refused", "45015"), ("subscription", "accepted", "0")]
    assert desk.wire.sent[1] == ("subscription", "oA", {"thing1": "鲜奶"})
    assert desk.consents("oA") == 0
    assert desk.follower("oA").message_at is None


def test_a_used_up_window_is_learnt(desk: Desk) -> None:
    member = desk.shop.member("oA", wrote=MONDAY - HOUR)
    rows = [desk.put(f"m{number}", member=member) for number in range(2)]
    desk.wire.answers = [SendResult.of(45047)]
    assert desk.round()["waiting"] == 2
    assert len(desk.wire.sent) == 1
    assert desk.attempts(rows[1]) == []
    desk.shop.writes("oA", MONDAY + HOUR)
    desk.waiting(member, "oA", MONDAY + HOUR)
    assert desk.round(MONDAY + HOUR)["sent"] == 2


def test_no_consent_is_learnt(desk: Desk) -> None:
    member = desk.shop.member("oA")
    desk.accepts("oA", 2)
    content = {"text": "m", "subscription": {"template_id": "sub-1", "data": {}}}
    desk.put("m", kind="reminder", member=member, channels="subscription next_reply", content=content)
    desk.wire.answers = [SendResult.of(43101)]
    assert desk.round()["waiting"] == 1
    assert desk.consents("oA") == 0


def test_a_notice_the_platform_finds_wrong_fails_once_and_gives_the_consent_back(desk: Desk) -> None:
    member = desk.shop.member("oA")
    desk.accepts("oA")
    content = {"text": "m", "subscription": {"template_id": "sub-1", "data": {}}}
    only = desk.put("only", kind="reminder", member=member, channels="subscription", content=content)
    both = desk.put("both", kind="reminder", member=member, channels="subscription next_reply", content=content)
    desk.wire.answers = [SendResult.of(47003), SendResult.of(47003)]
    desk.round()
    assert (desk.message(only).state, desk.message(both).state, desk.consents("oA")) == ("failed", "pending", 1)
    desk.round(MONDAY + LOOK_AGAIN)
    assert len(desk.wire.sent) == 2


def test_who_left_is_learnt(desk: Desk) -> None:
    member = desk.shop.member("oA", wrote=MONDAY - HOUR)
    desk.put("m", member=member)
    desk.wire.answers = [SendResult.of(43004)]
    assert desk.round()["waiting"] == 1
    assert not desk.follower("oA").followed


def test_the_same_id_sent_before_counts_as_sent(desk: Desk) -> None:
    row = desk.put("m", member=desk.shop.member("oA", wrote=MONDAY - HOUR))
    desk.wire.answers = [SendResult.of(45065)]
    assert desk.round()["sent"] == 1
    assert desk.attempts(row) == [("service", "accepted", "45065")]


def test_a_busy_platform_is_asked_again_later_under_the_same_id_and_costs_no_window(desk: Desk) -> None:
    row = desk.put("m", member=desk.shop.member("oA", wrote=MONDAY - HOUR))
    desk.wire.answers = [SendResult.of(-1), SendResult(Outcome.RETRY, "ConnectError")]
    assert desk.round()["deferred"] == 1
    assert desk.follower("oA").message_used == 0
    assert desk.round(MONDAY + 9 * SECOND).claimed == 0
    assert desk.round(MONDAY + 10 * SECOND)["deferred"] == 1
    assert desk.round(MONDAY + MINUTE)["sent"] == 1
    assert desk.wire.ids == ["m", "m", "m"]
    assert [outcome for _, outcome, _ in desk.attempts(row)] == ["retry", "retry", "accepted"]
    assert desk.follower("oA").message_used == 1


def test_a_lost_answer_is_never_repeated_by_service(desk: Desk) -> None:
    row = desk.put("m", member=desk.shop.member("oA", wrote=MONDAY - HOUR))
    desk.wire.answers = [LOST]
    assert desk.round()["unknown"] == 1
    assert desk.round(MONDAY + DAY).claimed == 0
    assert (desk.message(row).state, desk.attempts(row)) == ("unknown", [("service", "unknown", "ReadTimeout")])
    assert len(desk.wire.sent) == 1


def test_a_lost_answer_is_repeated_by_template_while_its_id_counts(desk: Desk) -> None:
    content = {"text": "n", "template": {"template_id": "t", "data": {}}}
    put: dict[str, Any] = {"kind": "notice", "channels": "template", "content": content}
    soon, never = (
        desk.put("a", member=desk.shop.member("oA"), **put),
        desk.put("b", member=desk.shop.member("oB"), **put),
    )
    desk.wire.answers = [LOST, LOST]
    assert desk.round()["deferred"] == 2
    desk.wire.answers = [SendResult.of(0), LOST]
    done = desk.round(MONDAY + 5 * MINUTE)
    assert (done["sent"], done["deferred"]) == (1, 1)
    desk.wire.answers = [LOST]
    assert desk.round(MONDAY + 30 * MINUTE)["unknown"] == 1
    assert (desk.message(soon).state, desk.message(never).state) == ("sent", "unknown")


def test_a_fault_of_the_account_pauses_the_channel_for_everybody(desk: Desk) -> None:
    for number in range(3):
        desk.put(f"m{number}", member=desk.shop.member(f"o{number}", wrote=MONDAY - HOUR))
    desk.wire.answers = [SendResult.of(45009)]
    assert desk.round()["waiting"] == 3
    assert len(desk.wire.sent) == 1
    assert desk.round(MONDAY + HOUR)["sent"] == 3


@pytest.mark.parametrize("channel", ["template", "subscription", "mass", "staff_task"])
def test_an_offer_by_a_channel_that_may_not_carry_it_fails_unsent(desk: Desk, channel: str) -> None:
    desk.accepts("oA")
    content = {
        "text": "m", "subscription": {"template_id": "sub-1", "data": {}}, "template": {"template_id": "t", "data": {}},
    }  # fmt: skip
    row = desk.put("m", member=desk.shop.member("oA", wrote=MONDAY), channels=channel, content=content)
    assert desk.round()["failed"] == 1
    assert (desk.message(row).state, desk.wire.sent) == ("failed", [])


def test_marketing_by_sms_needs_a_yes_and_says_how_to_refuse(desk: Desk) -> None:
    shop = desk.shop
    member = shop.member("oA")
    with shop.database.transaction() as connection:
        key = shop.vault.member_key(connection, member)
        sealed = shop.vault.seal(key, "phone", PHONE)
        index = shop.vault.blind_index("phone", PHONE)
        identity.add(connection, member, "phone", "", index, source="test", sealed=sealed, now=MONDAY)
    desk.put("a", member=member, channels="sms")
    assert desk.round()["waiting"] == 1
    with shop.database.transaction() as connection:
        consent.answer(connection, consent.of_member(member), consent.SMS, True, source="test", now=MONDAY)
    assert desk.round(MONDAY + LOOK_AGAIN)["sent"] == 1
    assert desk.wire.sent == [("sms", PHONE, "【小店】a 拒收请回复R")]


def test_the_openid_that_wrote_last_is_used(desk: Desk) -> None:
    member = desk.shop.member("oA", wrote=MONDAY - 2 * HOUR)
    with desk.shop.database.transaction() as connection:
        identity.add(connection, member, "openid", APP, "oB", source="test", now=MONDAY)
        identity.add(connection, member, "openid", "another account", "oC", source="test", now=MONDAY)
        people.touch(connection, ["oB"], "message", MONDAY - HOUR)
        people.touch(connection, ["oC"], "message", MONDAY)
    desk.put("m", member=member)
    desk.round()
    assert [openid for _, openid, _ in desk.wire.sent] == ["oB"]


def test_a_worker_that_died_while_sending_leaves_an_unknown(desk: Desk) -> None:
    row = desk.put("m", member=desk.shop.member("oA", wrote=MONDAY - HOUR))
    untouched = desk.put("n", member=desk.shop.member("oB", wrote=MONDAY - HOUR))
    with desk.shop.database.transaction() as connection:
        assert len(outbox.claim_due(connection, MONDAY, many=9, lease=LEASE)) == 2
        outbox.begin(connection, row, "service", MONDAY)
    assert desk.round(MONDAY + LEASE - SECOND).claimed == 0
    done = desk.round(MONDAY + LEASE)
    assert (done["unknown"], done["sent"]) == (1, 1)
    assert desk.attempts(row) == [("service", "unknown", "worker_lost")]
    assert desk.message(untouched).state == "sent"
    assert [openid for _, openid, _ in desk.wire.sent] == ["oB"]


def test_one_message_that_breaks_does_not_stop_the_others(desk: Desk) -> None:
    broken = desk.put("code:1", kind="code", channels="sms", openid="oB", sealed=b"k1\0x", content={"minutes": 5})
    fine = desk.put("m", member=desk.shop.member("oA", wrote=MONDAY - HOUR))
    done = desk.round()
    assert (done["error"], done["sent"]) == (1, 1)
    assert (desk.message(broken).state, desk.message(fine).state) == ("pending", "sent")
    assert desk.round(MONDAY + 30 * SECOND).claimed == 0
    assert desk.round(MONDAY + 7 * DAY)["expired"] == 1


def test_a_wire_that_breaks_after_the_attempt_began_is_not_tried_again(desk: Desk) -> None:
    row = desk.put("m", member=desk.shop.member("oA", wrote=MONDAY - HOUR))

    def broken(openid: str, content: object, client_msg_id: str) -> SendResult:
        raise RuntimeError

    desk.wire.send_service = broken  # type: ignore[method-assign]
    assert desk.round()["error"] == 1
    assert Desk(desk.shop).round(MONDAY + MINUTE)["unknown"] == 1
    assert desk.attempts(row) == [("service", "unknown", "worker_lost")]


def test_a_stopping_deliverer_gives_back_what_it_has_not_begun(desk: Desk) -> None:
    row = desk.put("m", member=desk.shop.member("oA", wrote=MONDAY - HOUR))
    desk.deliverer.stop()
    assert desk.deliverer.deliver_due(MONDAY)["given_back"] == 1
    assert desk.message(row).state == "pending"
    assert Desk(desk.shop).round()["sent"] == 1


def test_racing_workers_send_each_message_once(shop: SmallShop) -> None:
    desks = [Desk(shop) for _ in range(4)]
    for number in range(30):
        desks[0].put(f"m{number}", member=shop.member(f"o{number}", wrote=MONDAY - HOUR))
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda desk: desk.round(), desks))
    sent = [what["text"] for desk in desks for _, _, what in desk.wire.sent]
    assert sorted(sent) == sorted(f"m{number}" for number in range(30))
    assert sum(one["sent"] for one in done) == 30


def test_a_lost_claim_is_left_alone(desk: Desk) -> None:
    row = desk.put("m", member=desk.shop.member("oA", wrote=MONDAY - HOUR))
    with desk.shop.database.transaction() as connection:
        [claimed] = outbox.claim_due(connection, MONDAY, many=1, lease=LEASE)
        assert outbox.hold(connection, claimed.id, MONDAY + LEASE)
        rows = table(Outbox)
        connection.execute(update(rows).where(rows.c.id == row).values(lease_until=MONDAY + 2 * LEASE))
        assert not outbox.hold(connection, claimed.id, MONDAY + LEASE)


def test_a_claim_lost_during_the_round_is_not_sent(desk: Desk) -> None:
    first = desk.put("m0", member=desk.shop.member("o0", wrote=MONDAY - HOUR))
    second = desk.put("m1", member=desk.shop.member("o1", wrote=MONDAY - HOUR))
    send, rows = desk.wire.send_service, table(Outbox)

    def slow(openid: str, content: Any, client_msg_id: str) -> SendResult:
        with desk.shop.database.transaction() as connection:
            stolen = update(rows).where(rows.c.id == second).values(lease_until=MONDAY + 2 * LEASE)
            connection.execute(stolen)
        return send(openid, content, client_msg_id)

    desk.wire.send_service = slow  # type: ignore[method-assign]
    done = desk.deliverer.deliver_due(MONDAY)
    assert (done["sent"], done["lost"]) == (1, 1)
    assert (desk.message(first).state, desk.message(second).state) == ("sent", "claimed")
    assert desk.attempts(second) == []


def test_a_full_window_guards_itself_between_workers(shop: SmallShop) -> None:
    desks = [Desk(shop) for _ in range(3)]
    member = shop.member("oA", wrote=MONDAY - HOUR)
    for number in range(12):
        desks[0].put(f"m{number}", member=member)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda desk: desk.round(), desks))
    assert sum(len(desk.wire.sent) for desk in desks) == 5
