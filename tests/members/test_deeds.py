"""Deeds of staff: done once, counted against every limit, given back when undone, undone whole or not at all."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, select, update

from members import coupons, daily, deeds, limits, serving, shops, staffing
from members.audit import Actor
from members.errors import MemberError
from members.serving import Errand, Served
from members.tables import AuditLog, Coupon, Outbox, Staff, StaffDeed, table
from members.undoing import Undone
from tests.members.desk_books import NOW, RULES, VAULT, Books, at_once, opened

staff_deeds, audit_log, outbox = table(StaffDeed), table(AuditLog), table(Outbox)
PHONE = "+8613900139000"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def books(books_url: str) -> Iterator[Books]:
    """A counter; afterwards its sums must hold."""
    with opened(books_url) as found:
        yield found


def counted(books: Books, key: str) -> int:
    """What stands in a counter of today's shift."""
    period = limits.business_day(NOW, RULES.shop.zone, RULES.shop.day_start)
    with books.database.reading() as connection:
        return limits.count(connection, key, period)


def test_a_deed_is_done_once_per_key(books: Books) -> None:
    assert isinstance(books.serve(books.topup(100), key="same"), Served)
    assert books.serve(books.topup(100), key="same") == "deed_done"
    assert books.owned() == (0, 10_000)


def test_one_key_at_once_does_one_deed(books: Books) -> None:
    ended = at_once([lambda: books.serve(books.topup(100), key="same")] * 6)
    assert sum(isinstance(one, Served) for one in ended) == 1
    assert {one for one in ended if not isinstance(one, Served)} <= {"deed_done"}
    assert books.owned() == (0, 10_000)


def test_a_shift_is_full_for_exactly_what_fits(books: Books) -> None:
    members = [books.join(f"+86139001390{number:02d}") for number in range(6)]
    ended = at_once([partial(books.serve, books.topup(300, member)) for member in members])
    kinds = Counter("done" if isinstance(one, Served) else one for one in ended)
    assert kinds == {"done": 3, "staff_limit_topup": 3}
    assert counted(books, f"staff:{books.cashier}:topup") == counted(books, "store:s1:topup") == 90_000


def test_a_store_is_full_whoever_serves(books: Books) -> None:
    others = [books.hire("manager") for _ in range(4)]
    ended = at_once([partial(books.serve, books.topup(500), staff=staff) for staff in others])
    assert Counter("done" if isinstance(one, Served) else one for one in ended) == {"done": 3, "store_limit_topup": 1}


def test_what_is_refused_counts_for_nothing(books: Books) -> None:
    for _ in range(3):
        assert books.serve(Errand("points", books.member, {"points": -5})) == "insufficient"
        assert books.serve(Errand("issue", books.member, {"template": "off", "count": 3})) == "coupon_limit"
        assert books.serve(Errand("issue", books.member, {"template": "gone"})) == "template_gone"
    assert counted(books, f"staff:{books.cashier}:points") == counted(books, f"staff:{books.cashier}:coupons") == 0
    assert isinstance(books.serve(Errand("issue", books.member, {"template": "off", "count": 2})), Served)


def test_a_rehearsal_leaves_no_trace(books: Books) -> None:
    with books.database.transaction() as connection:
        desk = books.desk(connection, books.cashier)
        for kind, params in (
            ("topup", {"amount": 5000}), ("points", {"points": 50}), ("issue", {"template": "off", "count": 2}),
            ("sale", {"amount": 700, "order_no": "C1"}),
        ):  # fmt: skip
            served = serving.rehearse(desk, Errand(kind, books.member, params))
            assert served.member == books.member
    with books.database.reading() as connection:
        assert connection.execute(select(staff_deeds)).all() == []
        assert [row.action for row in connection.execute(select(audit_log))] == []
    assert books.owned() == (0, 0)
    assert counted(books, f"staff:{books.cashier}:topup") == 0


def test_a_deed_above_the_amount_wants_a_second_pair_of_eyes(books: Books) -> None:
    assert books.serve(books.topup(601)) == "needs_approval"
    assert isinstance(books.serve(books.topup(600)), Served)
    assert books.owned() == (0, 60_000)


def test_the_same_deed_is_undone_once_by_many_at_once(books: Books) -> None:
    served = books.serve(books.topup(500))
    ended = at_once([lambda: books.undo(served.deed.id)] * 6)
    assert sum(isinstance(one, Undone) for one in ended) == 1
    assert {one for one in ended if not isinstance(one, Undone)} <= {"deed_undone"}
    assert books.owned() == (0, 0)
    assert counted(books, f"staff:{books.cashier}:topup") == 0


def test_undoing_gives_back_what_the_deed_had_counted(books: Books) -> None:
    served = books.serve(Errand("issue", books.member, {"template": "soup", "count": 3}))
    assert books.serve(Errand("issue", books.member, {"template": "soup"})) == "staff_limit"
    assert served.deed.detail["counted"] == [
        [f"staff:{books.cashier}:coupons", "2026-03-01T20:00:00+00:00", 3],
        [f"staff:{books.cashier}:member:{books.member}", "2026-03-01T20:00:00+00:00", 1],
    ]  # fmt: skip
    assert isinstance(books.undo(), Undone)
    assert isinstance(books.serve(Errand("issue", books.member, {"template": "soup", "count": 3})), Served)


def test_yesterdays_deed_gives_nothing_back_to_today(books: Books) -> None:
    before_four = NOW.replace(hour=19, minute=55)
    books.serve(books.topup(600), now=before_four)
    assert isinstance(books.undo(now=before_four + 10 * MINUTE), Undone)
    assert isinstance(books.serve(books.topup(600), now=before_four + 11 * MINUTE), Served)
    assert isinstance(books.serve(books.topup(400), now=before_four + 11 * MINUTE), Served)
    assert books.serve(books.topup(1), now=before_four + 12 * MINUTE) == "staff_limit_topup"


def test_a_sale_and_its_undoing_bring_everything_back(books: Books) -> None:
    books.serve(books.topup(100))
    sale = Errand("sale", books.member, {"amount": 3000, "order_no": "C1", "pay": "balance"})
    assert isinstance(books.serve(sale), Served)
    assert books.owned() == (30, 7000)
    assert isinstance(books.undo(), Undone)
    assert books.owned() == (0, 10_000)


def test_a_sale_whose_points_are_spent_is_undone_whole_or_not(books: Books) -> None:
    books.serve(Errand("sale", books.member, {"amount": 3000, "order_no": "C1"}))
    books.serve(Errand("points", books.member, {"points": -30}))
    before = books.owned()
    number = books.do(lambda connection: deeds.newest(connection, books.cashier)[1].id)
    ended = books.undo(number)
    assert isinstance(ended, Undone) or (ended == "undo_spent" and books.owned() == before)


def test_what_cannot_be_undone_says_why(books: Books) -> None:
    assert books.undo() == "deed_none"
    assert books.undo(99) == "deed_unknown"
    topped = books.serve(books.topup(100)).deed.id
    assert books.undo(topped, staff=books.hire("cashier")) == "deed_unknown"
    assert books.undo(topped, staff=books.hire("manager", "s2")) == "deed_unknown"
    assert books.undo(topped, now=NOW + 15 * MINUTE) == "deed_late"
    books.serve(Errand("sale", books.member, {"amount": 100, "order_no": "C1", "pay": "balance"}))
    assert books.undo(topped) == "undo_spent"
    assert isinstance(books.undo(), Undone)
    assert isinstance(books.undo(topped, staff=books.hire("head_office", None)), Undone)
    assert books.undo(topped) == "deed_undone"


def test_a_coupon_that_went_to_a_friend_is_not_taken_from_them(books: Books) -> None:
    served = books.serve(Errand("issue", books.member, {"template": "soup", "count": 2}))
    friend = books.join("+8613600136000")
    with books.database.transaction() as connection:
        mine = table(Coupon).c.id == served.result[0].id
        connection.execute(update(table(Coupon)).where(mine).values(member_id=friend))
    assert books.undo() == "undo_spent"
    with books.database.reading() as connection:
        assert set(connection.scalars(select(table(Coupon).c.state))) == {"issued"}


def test_nobody_serves_or_undoes_for_themselves(books: Books) -> None:
    index = VAULT.blind_index("phone", "+8613800138000")
    topped = books.serve(books.topup(100)).deed.id
    with books.database.transaction() as connection:
        connection.execute(update(table(Staff)).values(phone_index=index))
    assert books.serve(books.topup(100)) == "staff_self"
    assert books.undo(topped) == "staff_self"


def test_who_was_revoked_serves_no_more(books: Books) -> None:
    with books.database.transaction() as connection:
        assert shops.revoke_staff(connection, books.cashier, now=NOW)
    assert books.serve(books.topup(100)) == "staff_gone"


def test_a_revocation_and_a_deed_at_once(books: Books) -> None:
    def revoke() -> object:
        return books.do(lambda connection: shops.revoke_staff(connection, books.cashier, now=NOW))

    done, revoked = at_once([lambda: books.serve(books.topup(100)), revoke])
    assert revoked is True
    assert isinstance(done, Served) or done == "staff_gone"
    assert books.owned() == (0, 10_000 if isinstance(done, Served) else 0)
    assert books.serve(books.topup(100)) == "staff_gone"


def test_refunds_stay_in_their_store(books: Books) -> None:
    sale = books.serve(Errand("sale", books.member, {"amount": 3000, "order_no": "C1"}))
    refund = Errand("refund", books.member, {"order": sale.result.order, "amount": 1000, "refund_no": "R1"})
    assert books.serve(refund, staff=books.hire("cashier", "s2")) == "refund_no_order"
    served = books.serve(refund)
    assert (served.deed.amount, books.owned()) == (1000, (20, 0))
    assert books.undo() == "undo_refund"
    rest = Errand("refund", books.member, {"order": sale.result.order, "amount": None, "refund_no": "R2"})
    assert books.serve(rest, staff=books.hire("head_office", None)).deed.amount == 2000


def say(key: str, **facts: object) -> str:
    """Words for tests: the key and its figures."""
    return f"{key} {' '.join(str(fact) for fact in facts.values())}" if key.startswith(("notice", "sum")) else "|"


def test_the_receipt_sums_a_day_for_the_manager_once(books: Books) -> None:
    books.serve(books.topup(100))
    books.serve(Errand("points", books.member, {"points": 50}))
    books.undo()
    evening = NOW.replace(hour=14, minute=0)
    late = books.serve(books.topup(50), now=evening + MINUTE)
    assert isinstance(late, Served)
    with books.database.transaction() as connection:
        assert daily.send_receipts(connection, say, RULES, evening) == (1, 1)
        assert daily.send_receipts(connection, say, RULES, evening + MINUTE) == (1, 0), "once"
        assert daily.send_receipts(connection, say, RULES, evening + DAY) == (1, 1), "what came later is tomorrow's"
        rows = list(connection.execute(select(outbox).order_by(outbox.c.id)))
    assert [row.openid for row in rows] == ["o-2", "o-2"]
    assert "¥100.00" in rows[0].content["text"] and "sum_undone" in rows[0].content["text"]
    assert "¥50.00" in rows[1].content["text"] and "¥100.00" not in rows[1].content["text"]


def test_staff_are_hired_invited_and_bound_once(books: Books) -> None:
    by = Actor("cli")

    def hire(connection: Connection) -> staffing.Invited:
        return staffing.hire(
            connection, VAULT, name="小李", role="cashier", store="s1", phone=PHONE, hours=48, by=by, now=NOW
        )

    made = books.do(hire)
    assert books.do(hire) == "staff_known"
    with books.database.transaction() as connection:
        assert staffing.invited(connection, VAULT, made.word.lower(), now=NOW) == (made.id, PHONE)
        assert staffing.invited(connection, VAULT, made.word, now=NOW + 2 * DAY) is None
        stored = connection.execute(select(table(Staff).c.invite_hash).where(table(Staff).c.id == made.id)).scalar_one()
        assert made.word.replace("-", "") not in stored

    def bind(openid: str) -> object:
        return books.do(lambda connection: staffing.bind(connection, VAULT, openid=openid, phone=PHONE, by=by, now=NOW))

    ended = at_once([partial(bind, f"o-new{number}") for number in range(4)])
    assert sum(isinstance(one, staffing.Server) for one in ended) == 1
    assert all(one is None for one in ended if not isinstance(one, staffing.Server))
    again = books.do(lambda connection: staffing.invite(connection, VAULT, made.id, hours=1, by=by, now=NOW))
    assert again.word != made.word
    assert bind("o-1") == "staff_bound", "it serves as somebody else"
    with pytest.raises(MemberError), books.database.transaction() as connection:
        staffing.invite(connection, VAULT, books.cashier, hours=1, by=by, now=NOW)


def test_only_the_redemption_that_was_the_deed_is_undone(books: Books) -> None:
    member = books.join("+8613900139001")
    issued = books.do(
        lambda connection: coupons.issue(
            connection, "off", RULES.coupons["off"], member, key="k", by="t", reason="", zone=RULES.shop.zone, now=NOW
        )
    )
    served = books.serve(Errand("redeem", member, {"coupon": issued.id, "code": issued.code}))
    till = Actor("api:1", "s1", "api:1")
    books.do(lambda connection: coupons.reverse(connection, issued.id, by=till, now=NOW + MINUTE))
    books.do(lambda connection: coupons.redeem(connection, issued.code, by=till, store="s1", now=NOW + MINUTE))
    assert books.undo(served.deed.id, now=NOW + 2 * MINUTE) == "undo_spent"
