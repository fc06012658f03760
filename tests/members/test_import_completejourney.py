"""The demo shop, checked against the package itself by plain loops."""

import json
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from members import auditing, coupons, identity, ledger, orders
from members.clock import add_months, end_of_day
from members.db import Database
from members.importing import completejourney_source as source
from members.importing.completejourney import (
    ImportOptions,
    demo_card,
    demo_phone,
    demographics,
    import_completejourney,
)
from members.importing.progress import Silent
from members.rules import TierRule
from members.tables import (
    Coupon,
    Entry,
    Identity,
    Member,
    Movement,
    Order,
    OrderLine,
    PointLot,
    Product,
    Setting,
    Store,
    table,
)
from members.vault import Vault, normalise_phone
from tests.members.demo_shop import KEY, MANY, NOW, SHANGHAI, SHIFT, chosen, fresh, member_of, run


def test_every_order_is_the_packages(shop: Any, truth: Any) -> None:
    database, report = shop
    order = table(Order)
    households = chosen(database)
    assert len(households) == MANY
    with database.reading() as connection:
        for household in households:
            member = member_of(database, household)
            rows = connection.execute(select(order).where(order.c.member_id == member).order_by(order.c.at)).all()
            wanted = truth[household]
            assert {row.order_no for row in rows} == {f"CJ{basket}" for basket in wanted}
            for row in rows:
                basket = wanted[int(row.order_no[2:])]
                at = (basket["wall"] + SHIFT).replace(tzinfo=SHANGHAI)
                facts = (basket["total"], basket["off"], str(basket["store"]), at, at.date(), "paid")
                assert (row.total, row.discount, row.store_id, row.at, row.day, row.state) == facts
    assert report.written["订单"] == sum(len(truth[household]) for household in households)


def test_lines_sum_to_their_orders_and_name_their_products(shop: Any, truth: Any) -> None:
    database, _ = shop
    line, order, product = table(OrderLine), table(Order), table(Product)
    with database.reading() as connection:
        summed = select(order.c.id, order.c.total, func.sum(line.c.amount), order.c.discount, func.sum(line.c.discount))
        for _, total, amount, off, discount in connection.execute(summed.join(line).group_by(order.c.id)):
            assert (total, off) == (amount, discount)
        household = chosen(database)[0]
        mine = select(order.c.order_no, product.c.sku, line.c.quantity, line.c.amount, product.c.type)
        mine = mine.select_from(line.join(order).join(product)).where(
            order.c.member_id == member_of(database, household)
        )
        for order_no, sku, quantity, amount, kind in connection.execute(mine):
            pieces, fen = truth[household][int(order_no[2:])]["lines"][int(sku)]
            assert amount == fen
            assert quantity == (1 if pieces == 0 or kind == source.FUEL_TYPE else pieces)
        assert connection.execute(select(func.min(line.c.quantity))).scalar_one() == 1


def test_points_are_floored_per_order_and_live_for_two_years(shop: Any, truth: Any) -> None:
    database, _ = shop
    lot, movement, order = table(PointLot), table(Movement), table(Order)
    with database.reading() as connection:
        for household in chosen(database):
            wanted = sum(basket["total"] // 100 for basket in truth[household].values())
            assert ledger.balances(connection, member_of(database, household))["points"] == wanted
        rows = connection.execute(
            select(
                movement.c.key,
                movement.c.reason,
                movement.c.at,
                order.c.at.label("order_at"),
                order.c.order_no,
                order.c.total,
                order.c.day,
                lot.c.amount,
                lot.c.expires_at,
            )
            .select_from(movement.join(order, movement.c.order_id == order.c.id).join(lot))
            .limit(500)
        ).all()
        for row in rows:
            assert (row.key, row.at) == (f"order:{row.order_no}:earn", row.order_at)
            assert row.reason == f"消费 ¥{row.total / 100:.2f}"
            assert row.amount == row.total // 100
            assert row.expires_at == end_of_day(add_months(row.day, 24), SHANGHAI)


def check_books(database: Database) -> None:
    """Assert that something was booked, and that the audit finds nothing."""
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(table(Entry))).scalar_one() > 100
        assert auditing.breaches(connection, now=NOW) == []


def test_the_books_of_the_slice_hold(shop: Any) -> None:
    check_books(shop[0])


def test_either_engine_takes_the_same_shop(database_url: str, shop: Any) -> None:
    database = fresh(database_url)
    try:
        report = run(database, 2)
        check_books(database)
        again = run(database, 2)
        assert again.unchanged
        order, wanted = table(Order), [member_of(shop[0], household) for household in chosen(database)]
        columns = select(order.c.order_no, order.c.at, order.c.day, order.c.total, order.c.discount, order.c.store_id)
        with database.reading() as here, shop[0].reading() as there:
            mine = here.execute(columns.order_by(order.c.order_no)).all()
            theirs = there.execute(columns.where(order.c.member_id.in_(wanted)).order_by(order.c.order_no)).all()
        assert mine == theirs
        assert len(mine) == report.written["订单"] > 0
    finally:
        database.dispose()


def test_a_member_is_found_by_phone_card_and_household(shop: Any) -> None:
    database, vault = shop[0], Vault(KEY)
    for household in chosen(database):
        member = member_of(database, household)
        with database.reading() as connection:
            phone = normalise_phone(demo_phone(household))
            assert identity.find_by_phone(connection, vault, phone) == member
            assert identity.find(connection, "card", demo_card(household)) == member
            sealed = connection.execute(
                select(table(Identity).c.sealed).where(
                    table(Identity).c.member_id == member, table(Identity).c.kind == "phone"
                )
            ).scalar_one()
            assert vault.unseal(vault.member_key(connection, member), "phone", sealed) == phone


def test_last_order_reads_in_chinese(shop: Any, truth: Any) -> None:
    database, _ = shop
    for household in chosen(database):
        with database.reading() as connection:
            receipt = orders.last(connection, member_of(database, household))
        assert receipt is not None
        newest = max(basket["wall"] for basket in truth[household].values())
        assert receipt.at == (newest + SHIFT).replace(tzinfo=SHANGHAI)
        assert receipt.store.startswith("邻家生鲜 ")
        for name, _, _ in receipt.lines:
            assert any("\u4e00" <= letter <= "\u9fff" for letter in name), name


def test_members_start_with_their_first_purchase_and_call_their_usual_store_home(shop: Any, truth: Any) -> None:
    database, _ = shop
    member = table(Member)
    for household in chosen(database):
        with database.reading() as connection:
            row = connection.execute(select(member).where(member.c.id == member_of(database, household))).one()
            store = connection.execute(select(table(Store)).where(table(Store).c.id == row.home_store)).one()
        visits = Counter(str(basket["store"]) for basket in truth[household].values())
        first = min(basket["wall"] for basket in truth[household].values())
        assert row.created_at == (first + SHIFT).replace(tzinfo=SHANGHAI)
        assert visits[store.id] == max(visits.values())


def test_every_third_household_has_a_top_up_and_no_other(shop: Any) -> None:
    database, _ = shop
    for household in chosen(database):
        with database.reading() as connection:
            held = ledger.balances(connection, member_of(database, household))
        assert (held["principal"] > 0, held["gift"] > 0) == (household % 3 == 0, household % 3 == 0)


def test_coupons_are_the_redemptions_and_a_few_open_ones(shop: Any) -> None:
    database, _ = shop
    campaigns, addressees = source.read_campaigns(), source.read_addressees()
    coupon = table(Coupon)
    redeemed = defaultdict(list)
    for one in source.read_redemptions():
        redeemed[one.household].append(one)
    for household in chosen(database):
        member = member_of(database, household)
        with database.reading() as connection:
            rows = connection.execute(select(coupon).where(coupon.c.member_id == member)).all()
            usable = coupons.usable(connection, member, NOW)
        used = sorted(
            (row.template, row.redeemed_at.astimezone(SHANGHAI).date()) for row in rows if row.state == "redeemed"
        )
        assert used == sorted((f"cj-{one.coupon}", one.day + SHIFT) for one in redeemed[household])
        lasting = {c for c in addressees.get(household, ()) if campaigns[c].end > date(2017, 12, 31)}
        assert len(usable) <= 3
        assert {int(row.key.split(":")[2]) for row in rows if row.state == "issued"} <= lasting
        for row in rows:
            assert coupons.normalise_code(coupons.spell(row.code)) == row.code
            assert row.title.endswith("优惠券")
            end = campaigns[int(row.key.split(":")[2])].end + SHIFT
            assert row.expires_at == end_of_day(end, SHANGHAI)
            assert row.issued_at <= (row.redeemed_at or NOW) < row.expires_at
    assert any(redeemed[household] for household in chosen(database))


def test_a_redeemed_coupon_names_an_order_of_its_member_on_that_day(shop: Any) -> None:
    coupon, order = table(Coupon), table(Order)
    with shop[0].reading() as connection:
        rows = connection.execute(
            select(coupon, order.c.at.label("bought"), order.c.member_id.label("buyer"), order.c.store_id).select_from(
                coupon.join(order, coupon.c.order_id == order.c.id)
            )
        ).all()
        alone = connection.execute(
            select(func.count()).select_from(coupon).where(coupon.c.state == "redeemed", coupon.c.order_id.is_(None))
        ).scalar_one()
    assert len(rows) > 50
    assert alone < 3
    assert all(
        (row.redeemed_at, row.member_id, row.redeemed_store) == (row.bought, row.buyer, row.store_id) for row in rows
    )


def test_demographics_stay_in_the_package(shop: Any, whole: Any) -> None:
    described = demographics()
    assert len(described) == 801
    assert described[1]["age"] == "65+"
    assert all(household in described for household in chosen(shop[0]))
    words = {word for row in described.values() for word in row.values() if len(word) > 4}
    text = repr(whole)
    assert "Homeowner" in words
    assert not [word for word in words if f"'{word}'" in text]


def test_tiers_come_from_what_was_spent(tmp_path: Path, truth: Any) -> None:
    database = fresh(f"sqlite:///{tmp_path / 'tiers.db'}")
    tiers = (
        TierRule(name="普卡"),
        TierRule(name="银卡", spend_12_months=2000),
        TierRule(name="金卡", spend_12_months=5000),
    )
    options = ImportOptions(households=8, tiers=tiers, points_per_yuan=3, open_coupons=0, shift_to_today=False)
    import_completejourney(database, Vault(KEY), options, now=NOW, progress=Silent())
    member = table(Member)
    with database.reading() as connection:
        for household in chosen(database):
            row = connection.execute(select(member).where(member.c.id == member_of(database, household))).one()
            spent = sum(basket["total"] for basket in truth[household].values())
            assert row.tier == ("金卡" if spent >= 500_000 else "银卡" if spent >= 200_000 else "普卡")
            points = sum(basket["total"] * 3 // 100 for basket in truth[household].values())
            assert ledger.balances(connection, row.id)["points"] == points
        assert connection.execute(select(func.max(table(Order).c.day))).scalar_one() <= date(2017, 12, 31)
        assert not connection.execute(select(table(Coupon)).where(table(Coupon).c.state == "issued")).all()
        stored = connection.execute(select(table(Setting).c.value)).scalar_one()
    assert (stored["shift_days"], stored["points_per_yuan"]) == (0, 3)
    database.dispose()


def test_the_report_tells_what_was_rejected_and_mended(shop: Any) -> None:
    _, report = shop
    counts = {found.code: found.count for found in report.findings}
    assert counts["amount_negative"] == 0
    assert counts["line_void"] > 100
    assert report.read["明细行"] == report.written["明细行"] + counts["line_void"]
    assert report.read["小票"] == report.written["订单"] + counts["basket_void"]
    parsed = json.loads(report.to_json())
    assert parsed["unchanged"] is False
    assert parsed["findings"][0]["code"] == report.findings[0].code
    lines = report.text().splitlines()
    assert any(line.startswith("剔除") for line in lines)
    assert all(found.reason in report.text() for found in report.findings)
