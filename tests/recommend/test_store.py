"""The recommender's night on real books: everybody scored, models judged, kept and taken back."""

from __future__ import annotations

import os
import shutil
import signal
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, func, select, update

from members import consent, identity, inferring, models, scores, segments, settings
from members.db import Database
from members.people import MemberView
from members.scores import Score
from members.segments import SegmentRule
from members.tables import Member, MemberTag, ModelVersion, Order, OrderLine, Product, table
from recommend import books, registry, scored, serving, store, tagging, taxonomy, timing, turn
from recommend.matrix import from_arrays
from recommend.registry import NEXT_BASKET, TIMING, Model, Workshop
from recommend.store import Night as DoneNight
from recommend.store import Store
from scheduler import campaigns
from scheduler.models import Night
from tests.recommend.night_shop import TODAY, NightShop, open_night_shop, rows, write
from tests.scheduler.small_shop import MONDAY, ZONE, SmallShop, push_rules


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> NightShop:
    """The shop after a night with a fit, made once."""
    folder = tmp_path_factory.mktemp("night")
    shutil.copy(migrated_sqlite, folder / "night.db")
    database = Database(f"sqlite:///{folder / 'night.db'}", synchronous="OFF")
    shop = open_night_shop(SmallShop(database, push_rules()), folder / "models")
    shop.store.run(MONDAY)
    database.dispose()
    return shop


@pytest.fixture
def night(filled: NightShop, tmp_path: Path) -> Iterator[NightShop]:
    """A copy of that shop of the test's own."""
    shutil.copytree(filled.store.folder, tmp_path / "models")
    shutil.copy(str(filled.shop.database.url.database), tmp_path / "night.db")
    database = Database(f"sqlite:///{tmp_path / 'night.db'}", synchronous="OFF")
    shop = SmallShop.__new__(SmallShop)
    vars(shop).update(vars(filled.shop) | {"database": database})
    store = registry.replace(filled.store, database=database, folder=tmp_path / "models")
    yield NightShop(shop, store, filled.members, filled.product)
    database.dispose()


def score_of(night: NightShop, member: int) -> Score:
    """The member's row, which must be there."""
    with night.shop.database.reading() as connection:
        found = scores.of_member(connection, member)
    assert found is not None
    return found


def suggested(night: NightShop, member: int, *, now: datetime = MONDAY, k: int = 5) -> list[serving.Suggestion]:
    with night.shop.database.reading() as connection:
        view = MemberView(member, "普卡", True)
        return serving.suggest(connection, night.shop.rules.recommend, view, now=now, zone=ZONE, k=k)


def test_a_night_fits_and_scores_everybody_on_both_engines(database: Database, tmp_path: Path) -> None:
    night = open_night_shop(SmallShop(database, push_rules()), tmp_path / "models")
    done = night.store.run(MONDAY)
    assert done.members == len(night.members) and done.lines > 2000
    assert [(one.kind, one.promoted) for one in done.outcomes] == [(NEXT_BASKET, True), (TIMING, True)]
    with database.reading() as connection:
        kept = {kind: models.current(connection, kind) for kind in models.KINDS}
    for kind, version in kept.items():
        assert version is not None and (night.store.folder / version.file).exists(), kind
        assert version.cut == TODAY - timedelta(days=registry.SPLIT)
        if kind == NEXT_BASKET:
            assert 0.5 < version.measures["candidate"]["recall"] <= 1
    for place, member in enumerate(night.members[:6]):
        row = score_of(night, member)
        own = {f"{code}-{1 + place % 3}" for code in ("coffee", "grain")} | {f"bread-{1 + (place + 1) % 3}"}
        assert own <= {one[0] for one in row.suggestions if one[4] != "alike"}
        chances = [one[1] for one in row.suggestions if one[4] in ("habit", "repurchase")]
        assert chances == sorted(chances, reverse=True) and len({one[0] for one in row.suggestions}) == len(
            row.suggestions
        )
        cycles = {one[0]: one for one in row.cycles}
        assert 9 <= cycles["coffee"][2] <= 11 and 19 <= cycles["grain"][2] <= 23
        assert row.stage == "active" and row.value_decile in range(1, 11) and row.rfm and row.rfm_version
    again = night.store.run(MONDAY)
    assert again.outcomes == [] and again.members == len(night.members)


def test_a_week_later_the_candidate_is_judged_beside_the_current_one(night: NightShop) -> None:
    done = night.store.run(MONDAY + timedelta(days=7))
    assert {one.kind for one in done.outcomes} == set(models.KINDS)
    for one in done.outcomes:
        assert set(one.measures) == {"candidate", "current"}
        better = registry.worth(one.kind, one.measures["candidate"]) >= registry.worth(
            one.kind, one.measures["current"]
        )
        assert one.promoted == better


@dataclass(frozen=True, slots=True)
class Careless(Workshop):
    """A workshop whose timing model has learnt from purchases on shuffled days."""

    def fitted(self, kind: str, cut: int) -> Model:
        log = self.by_category()
        days = np.random.default_rng(1).permutation(log.day)
        shuffled = from_arrays(log.members[log.member], days, log.items[log.item])
        return registry.replace(timing.fit(shuffled, cut), hazards=None)


def test_a_worse_model_is_kept_but_not_used(night: NightShop) -> None:
    shop = night.workshop()
    with night.shop.database.reading() as connection:
        before = models.current(connection, TIMING)
    careless = Careless(shop.folder, shop.log, shop.shelf, shop.today)
    done = registry.refit(night.shop.database, careless, TIMING, now=MONDAY)
    assert not done.promoted and done.measures["candidate"]["hits"] < done.measures["current"]["hits"]
    with night.shop.database.reading() as connection:
        assert models.current(connection, TIMING) == before
        assert [one.state for one in models.history(connection, TIMING)] == ["refused", "current"]


def test_the_way_back_is_one_step_and_ends_at_the_first(night: NightShop) -> None:
    shop, database = night.workshop(), night.shop.database
    assert registry.refit(database, shop, TIMING, now=MONDAY + timedelta(hours=1)).promoted
    with database.transaction() as connection:
        newest, first = models.history(connection, TIMING)
        assert models.roll_back(connection, TIMING).id == first.id
        assert [one.state for one in models.history(connection, TIMING)] == ["rolled_back", "current"]
        with pytest.raises(LookupError):
            models.roll_back(connection, TIMING)
        current = models.current(connection, TIMING)
        assert current is not None and current.id == first.id != newest.id


def test_a_damaged_or_changed_file_is_never_loaded(night: NightShop) -> None:
    with night.shop.database.reading() as connection:
        version = models.current(connection, NEXT_BASKET)
        assert version is not None
        path = night.store.folder / version.file
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + b"tampered!")
        assert registry.current(connection, night.store.folder, NEXT_BASKET) is None
        path.write_bytes(b"0" * 64 + whole[64:])
        assert registry.current(connection, night.store.folder, NEXT_BASKET) is None
        path.unlink()
        assert registry.current(connection, night.store.folder, NEXT_BASKET) is None
    done = night.store.run(MONDAY, fit=False)
    assert done.members == len(night.members)
    assert score_of(night, night.members[0]).suggestions == [] != score_of(night, night.members[0]).cycles
    assert suggested(night, night.members[0])[0].kind in ("repurchase", "habit")
    assert [one.promoted for one in night.store.run(MONDAY, fit=True).outcomes] == [True, True]


def test_a_name_in_the_books_leads_nowhere_else(night: NightShop, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.npz").write_bytes(b"x")
    versions = table(ModelVersion)
    with night.shop.database.transaction() as connection:
        connection.execute(update(versions).values(file="../elsewhere.npz"))
        assert registry.current(connection, night.store.folder, TIMING) is None


def test_what_was_bought_a_minute_ago_is_no_longer_suggested_and_brings_what_goes_with_it(night: NightShop) -> None:
    member = night.members[0]
    first = suggested(night, member)[0]
    assert first.kind in ("repurchase", "habit") and first.score_long > 0 and first.item in night.product
    night.buys(member, TODAY, first.item, hour=9)
    after = suggested(night, member)
    assert first.category not in [one.category for one in after]
    with night.shop.database.reading() as connection:
        beside = scores.companions(connection, [first.item]).get(first.item, [])
    named = {one.item: one.reason for one in after if one.kind == "companion"}
    assert not beside or any(one[0] in named for one in beside)
    assert all(first.name in reason for reason in named.values())


def test_what_was_sold_before_the_night_and_booked_after_it_counts_as_bought_since(night: NightShop) -> None:
    member, other = night.members[:2]
    first = suggested(night, member)[0]
    night.buys(member, TODAY - timedelta(days=1), first.item, "coffee-1")
    night.buys(other, TODAY - timedelta(days=30), first.item)  # long before: what the night knows of it stays as it is
    after = suggested(night, member)
    assert first.category not in [one.category for one in after]
    with night.shop.database.reading() as connection:
        rows = scored.read(connection, [member, other], TODAY, MONDAY)
    assert "coffee" not in [one.category for one in rows[member].cycles()]
    assert {"coffee", first.category} == rows[member].categories and not rows[other].categories
    # the next night has read it
    night.store.run(MONDAY + timedelta(minutes=1), fit=False)
    with night.shop.database.reading() as connection:
        assert not scored.read(connection, [member], TODAY, MONDAY)[member].categories


def test_what_is_due_is_told_of_its_category(night: NightShop) -> None:
    found = [one for member in night.members for one in suggested(night, member) if one.kind == "repurchase"]
    assert found
    for one in found:
        assert one.reason.startswith(f"{one.category_name}上次 "), one.reason


def test_what_was_just_bought_of_an_excluded_category_is_not_named_as_a_companion(night: NightShop) -> None:
    with night.shop.database.reading() as connection:
        beside = scores.companions(connection, [f"sweets-{kind}" for kind in (1, 2, 3)])
    rules = night.store.rules

    def named(member: int, exclude: list[str]) -> list[str]:
        with night.shop.database.reading() as connection:
            told = rules.model_copy(update={"exclude": exclude})
            view = MemberView(member, "普卡", True)
            found = serving.suggest(connection, told, view, now=MONDAY, zone=ZONE)
        return [one.reason for one in found if one.kind == "companion"]

    told = 0
    for member in night.members[:10]:  # of some the companion is a habit already, and told as one
        night.buys(member, TODAY, next(iter(beside)), hour=9)
        told += any("糖果" in reason for reason in named(member, []))
        assert not any("糖果" in reason for reason in named(member, ["糖果"]))
    assert told


def test_bread_and_sweets_are_companions_beyond_chance(night: NightShop) -> None:
    with night.shop.database.reading() as connection:
        beside = scores.companions(connection, [f"sweets-{kind}" for kind in (1, 2, 3)])
    assert beside and all(one[0].startswith("bread") and one[1] > 1 for some in beside.values() for one in some)
    bought = next(iter(beside))
    for member in night.members:
        before = [one.category for one in suggested(night, member)]
        night.buys(member, TODAY, bought, hour=9)
        second = suggested(night, member)[1]
        if before[0] != "bread":  # then it comes as their own habit anyway
            assert (second.kind, second.category) == ("companion", "bread") and "糖果" in second.reason
            return
    raise AssertionError("everybody's first suggestion is bread")


def test_who_buys_sweets_and_never_bread_is_led_on_to_it_by_the_night(night: NightShop) -> None:
    with night.shop.database.reading() as connection:
        goes_with = scores.companions(connection, [f"sweets-{kind}" for kind in (1, 2, 3)])
    with night.shop.database.transaction() as connection:
        member = identity.create(connection, night.shop.vault, tier="普卡", now=MONDAY)[0]
    sweets = next(iter(goes_with))
    for back in (9, 6, 3):
        night.buys(member, TODAY - timedelta(days=back), sweets)
    night.store.run(MONDAY, fit=False)
    with night.shop.database.reading() as connection:
        found = {row.member: row.upgrades for row in scores.of_members(connection, [member, *night.members]).values()}
    assert {(one[0], one[1]) for one in found[member]} == {("companion", sweets)}
    assert {one[2] for one in found[member]} == {one[0] for one in goes_with[sweets]}
    assert any(found[one] for one in night.members)


def test_who_is_not_of_the_sample_is_led_on_too(night: NightShop, monkeypatch: pytest.MonkeyPatch) -> None:
    with night.shop.database.reading() as connection:
        sweets = next(iter(scores.companions(connection, [f"sweets-{kind}" for kind in (1, 2, 3)])))
    with night.shop.database.transaction() as connection:
        one, other = (identity.create(connection, night.shop.vault, tier="普卡", now=MONDAY)[0] for _ in range(2))
    for back in (9, 6, 3):
        for member in (one, other):
            night.buys(member, TODAY - timedelta(days=back), sweets)
    monkeypatch.setattr(store, "SAMPLE", 30)  # every second of 42: of two neighbours one is left out
    night.store.run(MONDAY, fit=False)
    with night.shop.database.reading() as connection:
        rows = scores.of_members(connection, [one, other])
    assert rows[one].upgrades and rows[one].upgrades == rows[other].upgrades


def test_an_old_row_counts_no_more(night: NightShop) -> None:
    member = night.members[0]
    with night.shop.database.reading() as connection:
        for days, there in ((0, True), (6, True), (7, False), (-1, False)):
            found = scored.read(connection, [member], TODAY + timedelta(days=days), MONDAY)
            assert (member in found) == there, days
    night.store.run(MONDAY + timedelta(days=30), fit=False)
    assert score_of(night, member).day == TODAY + timedelta(days=30)


def test_the_chance_is_that_of_the_day_and_a_purchase_ends_the_cycle(night: NightShop) -> None:
    member = night.members[0]
    row = score_of(night, member)
    chances = {one[0]: one[6] for one in row.cycles}
    for days in (0, 3):
        today = TODAY + timedelta(days=days)
        with night.shop.database.reading() as connection:
            found = scored.read(connection, [member], today, MONDAY + timedelta(days=days))[member]
        assert {one.category: one.chance for one in found.cycles()} == {k: v[days] for k, v in chances.items()}
    night.buys(member, TODAY, "coffee-1", hour=9)
    with night.shop.database.reading() as connection:
        left = scored.read(connection, [member], TODAY, MONDAY)[member].cycles()
    assert "coffee" in chances and "coffee" not in [one.category for one in left]


def test_a_night_before_business_ends_is_for_the_day_that_begins_then(night: NightShop) -> None:
    late, later = night.members[:2]
    today = TODAY + timedelta(days=1)
    at, yesterday = datetime.combine(today, time(3), ZONE), TODAY
    night.buys(late, yesterday, "sweets-1", hour=23)
    assert registry.replace(night.store, day_start=time(4)).run(at, fit=False).members == len(night.members)
    order = night.buys(later, yesterday, "coffee-1")
    with night.shop.database.transaction() as connection:
        orders = table(Order)
        connection.execute(update(orders).where(orders.c.id == order).values(at=at + timedelta(minutes=30)))
        found = scored.read(connection, [late, later], today, at + timedelta(hours=7))
        assert [found[member].age for member in (late, later)] == [0, 0]
        assert found[late].categories == frozenset() and found[later].categories == {"coffee"}
        last = {one[0]: one[1] for one in found[late].score.cycles or ()}
        assert last["sweets"] == yesterday.isoformat(), "yesterday evening is known"


def test_who_wants_nothing_personal_is_not_scored_and_what_was_known_goes(night: NightShop) -> None:
    member, database = night.members[0], night.shop.database
    with database.transaction() as connection:
        consent.personalise(connection, member, False, source="test", now=MONDAY)
        assert scores.of_member(connection, member) is None
    night.store.run(MONDAY, fit=False)
    with database.reading() as connection:
        assert scores.of_member(connection, member) is None
        tags = table(MemberTag)
        open_tags = connection.scalars(select(tags.c.id).where(tags.c.member_id == member, tags.c.ended_at.is_(None)))
        assert open_tags.all() == []
        plain = serving.suggest(
            connection, night.shop.rules.recommend, MemberView(member, "", False), now=MONDAY, zone=ZONE
        )
    assert {one.kind for one in plain} <= {"popular"}


def test_members_who_left_have_no_row_and_nothing_that_is_not_sold_is_suggested(night: NightShop) -> None:
    gone, here = night.members[:2]
    with night.shop.database.transaction() as connection:
        connection.execute(update(table(Member)).where(table(Member).c.id == gone).values(state="merged"))
        goods = table(Product)
        connection.execute(update(goods).where(goods.c.category == "coffee").values(active=False))
    night.store.run(MONDAY, fit=False)
    assert "coffee" not in [one.category for one in suggested(night, here, k=10)]
    with night.shop.database.reading() as connection:
        rest = {row.member_id for row in rows(connection, scores.scores) if row.day == TODAY}
    assert here in rest


def test_without_a_timing_model_nothing_is_forecast_and_counts_remind(night: NightShop) -> None:
    with night.shop.database.transaction() as connection:
        connection.execute(delete(table(ModelVersion)).where(table(ModelVersion).c.kind == TIMING))
    night.store.run(MONDAY, fit=False)
    row = score_of(night, night.members[0])
    assert row.cycles is None and row.suggestions
    rules = night.shop.rules
    with night.shop.database.reading() as connection:
        found = list(campaigns.candidates(connection, "复购提醒", rules, night.members, MONDAY))
    assert found and {one.trace["by"] for one in found} == {"repurchase"}


def test_a_kind_is_tried_again_when_its_time_has_come_not_every_night(night: NightShop) -> None:
    with night.shop.database.transaction() as connection:
        settings.put(connection, f"recommend:fit:{TIMING}", {"at": (MONDAY - timedelta(days=8)).isoformat()})
    assert [one.kind for one in night.store.run(MONDAY).outcomes] == [TIMING]
    assert night.store.run(MONDAY + timedelta(days=1)).outcomes == []
    with night.shop.database.reading() as connection:
        version = models.current(connection, NEXT_BASKET)
    assert version is not None
    (night.store.folder / version.file).write_bytes(b"of an older code")
    again = night.store.run(MONDAY + timedelta(days=1)).outcomes
    assert [(one.kind, one.promoted) for one in again] == [(NEXT_BASKET, True)], "what can't be read is learnt anew"


def test_old_files_go_but_not_those_a_way_back_needs(night: NightShop) -> None:
    shop, database = night.workshop(), night.shop.database
    assert registry.refit(database, shop, TIMING, now=MONDAY + timedelta(hours=1)).promoted
    old = MONDAY.timestamp() - 10 * 86_400
    with database.transaction() as connection:
        current = models.current(connection, TIMING)
        for number in range(registry.KEPT + 2):
            file = night.store.folder / f"timing-refused-{number}.npz"
            file.write_bytes(b"x")
            models.add(
                connection, TIMING, cut=TODAY, file=file.name, checksum="", measures={}, promoted=False, now=MONDAY
            )
        for file in night.store.folder.iterdir():
            os.utime(file, (old, old))
        (night.store.folder / "timing-just-written.npz").write_bytes(b"x")
        registry.tidy(connection, night.store.folder)
        left = {file.name for file in night.store.folder.iterdir()}
        assert current is not None and current.file in left and "timing-just-written.npz" in left
        assert "timing-refused-0.npz" not in left and f"timing-refused-{registry.KEPT + 1}.npz" in left
        assert models.roll_back(connection, TIMING).file in left


def test_tags_of_whom_nothing_is_inferred_any_more_are_taken_off(night: NightShop) -> None:
    quiet = night.shop.member()
    with night.shop.database.transaction() as connection:
        inferring.refresh(connection, {quiet: {"养猫": 0.9}}, of_children=frozenset(), now=MONDAY - timedelta(days=1))
        assert quiet in inferring.carriers(connection)
    night.store.run(MONDAY, fit=False)
    with night.shop.database.reading() as connection:
        assert quiet not in inferring.carriers(connection)
    rules = night.store.rules.model_copy(update={"infer_tags": False})
    registry.replace(night.store, rules=rules).run(MONDAY, fit=False)
    with night.shop.database.reading() as connection:
        assert inferring.carriers(connection) == []


def test_what_points_to_children_is_told_by_the_taxonomy() -> None:
    private = tagging.of_children(taxonomy.load())
    assert {"买玩具", "家有孩子", "家有婴幼儿", "喂养婴儿", "备上学上班的零食"} <= private
    assert not {"养猫", "爱吃海鲜", "消费力强"} & private


def test_articles_without_a_category_are_left_out_and_counted(night: NightShop) -> None:
    goods, lines = table(Product), table(OrderLine)
    with night.shop.database.transaction() as connection:
        connection.execute(update(goods).where(goods.c.category == "sweets").values(category=None))
        of = connection.scalar(
            select(func.count()).select_from(lines.join(goods, goods.c.id == lines.c.product_id))
            .where(goods.c.category.is_(None))
        )  # fmt: skip
    done = night.store.run(MONDAY, fit=False)
    assert done.uncategorised == of and of
    assert done.line().endswith(f"位会员已打分;{of} 行购买的商品没有品类,没有算:用 import products 写上")
    with night.shop.database.transaction() as connection:
        connection.execute(update(goods).values(category=None))
        every = connection.scalar(select(func.count()).select_from(lines))
        why = books.nothing(connection, "还没有")
    assert why == f"购买的商品都没有品类({every} 行):先用 import products 写上品类"
    assert night.store.run(MONDAY, fit=False).line() == (
        f"购买记录还太少,先按次数推荐;{len(night.members)} 位会员已分层;"
        f"{every} 行购买的商品没有品类,没有算:用 import products 写上"
    )


def test_a_shop_that_opened_today_is_left_to_counts(database: Database, tmp_path: Path) -> None:
    shop = SmallShop(database, push_rules())
    with database.reading() as connection:
        milk = connection.scalars(select(table(Product).c.id).where(table(Product).c.sku == "milk-1")).one()
    members = [shop.member() for _ in range(20)]
    write(shop, [(member, TODAY, [milk]) for member in members for _ in range(10)], hour=8)
    for fit in (True, None, False):
        assert Store(database, shop.rules.recommend, tmp_path, ZONE).run(MONDAY, fit=fit).members == 0


def test_a_shop_with_few_receipts_is_left_to_counts_but_its_members_have_a_place(
    database: Database, tmp_path: Path
) -> None:
    shop = SmallShop(database, push_rules())
    assert Night(database, shop.rules.recommend, tmp_path, ZONE).run(MONDAY) == "还没有会员的购买记录"
    member = shop.member()
    shop.buys(member, "milk", *[TODAY - timedelta(days=7 * week) for week in range(1, 9)])
    done = registry_run(shop, tmp_path)
    assert (done.members, done.lines) == (1, 0)
    assert done.line() == "购买记录还太少,先按次数推荐;1 位会员已分层"
    with database.reading() as connection:
        row = scores.of_member(connection, member)
        assert row is not None
        assert (row.suggestions, row.cycles) == ([], None), "counts decide"
        assert (row.stage, row.value_decile, bool(row.rfm)) == ("active", 1, True)
        few = SegmentRule.model_validate({"state": "active", "value_decile": {"at_most": 3}})
        assert segments.members_of(connection, few, MONDAY, ZONE) == [member]
        view = MemberView(member, "普卡", True)
        found = serving.suggest(connection, shop.rules.recommend, view, now=MONDAY, zone=ZONE)
        assert found[0].kind == "repurchase"


def test_what_may_not_be_recommended_still_counts_as_spent(night: NightShop) -> None:
    best, goods = night.members[3], table(Product)
    with night.shop.database.transaction() as connection:
        left_out = connection.scalars(select(goods.c.id).where(goods.c.category == "sweets")).first()
    write(night.shop, [(best, TODAY - timedelta(days=ago), [left_out] * 90) for ago in (1, 2)])
    rules = night.shop.rules.recommend.model_copy(update={"exclude": ["sweets"]})
    replace(night.store, rules=rules).run(MONDAY, fit=False)
    assert score_of(night, best).value_decile == 1


def registry_run(shop: SmallShop, folder: Path) -> DoneNight:
    return Store(shop.database, shop.rules.recommend, folder, ZONE).run(MONDAY)


def test_the_night_runs_in_a_process_of_its_own(night: NightShop) -> None:
    member = night.members[0]
    with night.shop.database.transaction() as connection:
        scores.drop(connection, night.members)
    run = Night(night.shop.database, night.shop.rules.recommend, night.store.folder, ZONE)
    assert run.run(MONDAY) == "已开始,在另一个进程里算"
    assert run.run(MONDAY) == "上一次还没有算完"
    run.wait(120)
    assert score_of(night, member).day == date(2026, 11, 16)
    for file in night.store.folder.iterdir():
        file.unlink()
    night.store.folder.rmdir()
    night.store.folder.write_text("no folder any more")
    run.run(MONDAY + timedelta(days=7))
    run.wait(120)
    with night.shop.database.reading() as connection:
        assert settings.get(connection, turn.LAST) == {
            "at": (MONDAY + timedelta(days=7)).isoformat(),
            "line": "失败:FileExistsError",
        }
    assert run.run(MONDAY) == "已开始,在另一个进程里算"
    run.stop()
    run.stop()


def test_a_night_that_is_killed_is_told_of_and_tried_once_more(night: NightShop) -> None:
    run = Night(night.shop.database, night.shop.rules.recommend, night.store.folder, ZONE)
    later = MONDAY + timedelta(days=1)

    def told() -> str:
        with night.shop.database.reading() as connection:
            return str((settings.get(connection, turn.LAST) or {}).get("line"))

    def until(word: str) -> None:
        patience = clock.monotonic() + 120
        while word not in told():
            assert clock.monotonic() < patience, told()
            clock.sleep(0.05)

    def kill() -> None:
        assert run._running is not None and run._running.pid is not None, "0 would be all of us"
        os.kill(run._running.pid, signal.SIGKILL)

    assert run.run(later) == "已开始,在另一个进程里算"
    kill()
    until("失败:进程被中止(-9),再算一次")
    until("位会员已打分")
    run.wait(120)
    assert score_of(night, night.members[0]).day == TODAY + timedelta(days=1)

    assert run.run(later) == "已开始,在另一个进程里算"
    first = run._running
    kill()
    patience = clock.monotonic() + 120
    while run._running is first:
        assert clock.monotonic() < patience
        clock.sleep(0.01)
    kill()
    patience = clock.monotonic() + 120
    while told() != "失败:进程被中止(-9)":
        assert clock.monotonic() < patience, told()
        clock.sleep(0.05)
    run.wait(0)
    with turn.keeping(night.shop.database, "by hand", since=later):
        pass  # the turn was given up
