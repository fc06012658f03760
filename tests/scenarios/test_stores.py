"""Stores: by name, by district, nearest first, from a place on the map; where somebody is, is never kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select
from sqlmodel import SQLModel

from members import places
from members.places import Place, Point
from members.tables import Follower, table
from tests.support.acting import become_member
from tests.support.shop import Shop, open_shop
from tests.support.talker import shown

STORES = [
    {"id": "s1", "name": "邻家生鲜 人民路店", "address": "上海市黄浦区人民路100号", "lat": 31.2277, "lon": 121.4912,
     "hours": "08:00-22:00", "phone": "021-5555-0001"},
    {"id": "s2", "name": "邻家生鲜 静安寺店", "address": "上海市静安区南京西路1686号", "lat": 31.2236, "lon": 121.4459,
     "hours": "22:00-06:00", "phone": "021-5555-0002"},
    {"id": "s3", "name": "邻家生鲜 张江店", "address": "上海市浦东新区祖冲之路1号", "lat": 31.2040, "lon": 121.5940,
     "hours": "全天", "phone": ""},
    {"id": "s4", "name": "邻家生鲜 无名店", "address": "", "hours": "", "phone": ""},
]  # fmt: skip
BUND, AIRPORT = ("31.2397", "121.4905"), ("31.1443", "121.8083")
followers = table(Follower)


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[Shop]:
    """A shop with four stores, one of them nobody knows where; it is ten in the morning."""
    with open_shop(tmp_path, books_url, {"shop": {"stores": STORES}}) as running:
        yield running


def pin(shop: Shop, openid: str, place: tuple[str, str]) -> str:
    """Somebody sends a place as a message; the reply's XML."""
    bot = shop.talker(openid)
    inner = f"<Location_X>{place[0]}</Location_X><Location_Y>{place[1]}</Location_Y><Scale>15</Scale><Label>x</Label>"
    return bot.send(bot.xml("location", f"{inner}<MsgId>{next(bot.ids)}</MsgId>"))


def report(shop: Shop, openid: str, place: tuple[str, str]) -> str:
    """The phone reports where it is, five seconds after the last time."""
    shop.clock.forward(seconds=5)
    return shop.talker(openid).event("LOCATION", Latitude=place[0], Longitude=place[1], Precision="65.000000")


def row_of(shop: Shop, openid: str) -> Any:
    with shop.service.database.reading() as connection:
        return connection.execute(select(followers).where(followers.c.openid == openid)).one_or_none()


def test_all_stores_are_listed(shop: Shop) -> None:
    said = shop.talker("o-anna").say("门店").splitlines()
    assert said[0] == "我们的门店:"
    assert [line.split()[2] for line in said[1:]] == ["人民路店", "静安寺店", "张江店", "无名店"]


def test_a_shop_without_stores_says_so(tmp_path: Path, books_url: str) -> None:
    with open_shop(tmp_path, books_url) as shop:
        assert "021-5555" in shop.talker("o-anna").say("门店")


@pytest.mark.parametrize(
    ("words", "title", "what"),
    [
        ("人民路店地址", "人民路店", "营业时间 08:00-22:00,现在营业中"), ("人民路门店", "人民路店", "人民路100号"),
        ("静安门店", "静安寺店", "22:00-06:00,现在已打烊"), ("浦东门店", "张江店", "营业时间 全天"),
        ("人民路店电话", "人民路店", "021-5555-0001"),
    ],
)  # fmt: skip
def test_one_store_by_its_spoken_name_or_district(shop: Shop, words: str, title: str, what: str) -> None:
    xml = shop.talker("o-anna").send(shop.talker("o-anna").text_xml(words))
    said = shown(xml)
    assert title in said.splitlines()[0], said
    assert what in said, said
    assert "apis.map.qq.com/uri/v1/marker?marker=coord:31." in unquote(xml)


def test_a_store_without_a_place_is_told_in_words(shop: Shop) -> None:
    assert shop.talker("o-anna").say("无名店门店").startswith("邻家生鲜 无名店\n详情")


def test_a_place_gets_the_nearest_store_with_distance_and_way(shop: Shop) -> None:
    xml = pin(shop, "o-anna", BUND)
    title, *lines = shown(xml).splitlines()
    assert title == "离您最近:邻家生鲜 人民路店(约1.3公里)"
    assert "· 邻家生鲜 静安寺店(约4.6公里)" in lines and "· 邻家生鲜 张江店(约10.6公里)" in lines
    assert xml.count("<item>") == 1, "a message gets one article"
    near = ("31.2280", "121.4915")
    assert "(约40米)" in shown(pin(shop, "o-anna", near))


@pytest.mark.parametrize("place", [("", ""), ("nan", "1"), ("91", "0"), ("x", "y"), ("1e400", "0")])
def test_a_place_that_is_none_gets_the_list(shop: Shop, place: tuple[str, str]) -> None:
    assert "我们的门店" in shown(pin(shop, "o-anna", place))


def test_the_list_begins_where_somebody_was_lately(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    anna.say("你好")
    assert report(shop, "o-anna", AIRPORT) == ""
    said = anna.say("门店").splitlines()
    assert said[0] == "离您最近的排在前面:"
    assert [line.split()[2] for line in said[1:]] == ["张江店", "人民路店", "静安寺店", "无名店"]
    shop.clock.forward(minutes=31)
    assert anna.say("门店").splitlines()[0] == "我们的门店:"


def test_a_phone_that_reports_every_five_seconds_is_written_down_when_something_changed(shop: Shop) -> None:
    become_member(shop, "o-anna", "13800138000")
    written: list[str] = []
    engine = shop.service.database.engine

    @event.listens_for(engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        written.append(statement)

    for _ in range(20):
        assert report(shop, "o-anna", BUND) == ""
    updates = [statement for statement in written if statement.startswith("UPDATE follower")]
    assert len(updates) == 1
    assert not [statement for statement in written if "SAVEPOINT" in statement]
    report(shop, "o-anna", AIRPORT)
    assert row_of(shop, "o-anna").near_store == "s3"
    shop.clock.forward(minutes=5)
    report(shop, "o-anna", AIRPORT)
    assert row_of(shop, "o-anna").near_at == shop.clock.now()


def test_coordinates_are_nowhere_in_the_books(shop: Shop) -> None:
    shop.talker("o-anna").say("你好")
    report(shop, "o-anna", ("31.239712", "121.490533"))
    pin(shop, "o-anna", ("31.239712", "121.490533"))
    with shop.service.database.reading() as connection:
        for known in SQLModel.metadata.sorted_tables:
            for row in connection.execute(select(known)):
                assert "31.2397" not in str(row) and "121.4905" not in str(row), known.name


def test_a_stranger_to_us_who_is_somewhere_is_not_followed_up(shop: Shop) -> None:
    assert report(shop, "o-never-seen", BUND) == ""
    assert row_of(shop, "o-never-seen") is None


def test_known_distances() -> None:
    # great-circle distances of airports as published by their operators' charts: PVG–PEK 1,098 km, LHR–JFK 5,540 km
    shanghai, beijing = Point(31.1434, 121.8052), Point(40.0801, 116.5846)
    london, york = Point(51.4706, -0.4619), Point(40.6398, -73.7789)
    assert places.metres(shanghai, beijing) == pytest.approx(1_098_000, rel=0.002)
    assert places.metres(london, york) == pytest.approx(5_540_000, rel=0.002)
    assert places.metres(Point(0, 179.9), Point(0, -179.9)) == pytest.approx(22_239, rel=0.001)


COORDINATES = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))


@given(COORDINATES, COORDINATES)
def test_distance_is_symmetric_and_no_further_than_half_around(one: Point, other: Point) -> None:
    far = places.metres(one, other)
    assert far == pytest.approx(places.metres(other, one), abs=0.01)
    assert 0 <= far <= 20_015_115
    assert places.metres(one, one) == 0


@given(COORDINATES, st.lists(COORDINATES, max_size=6))
def test_the_nearest_comes_first(here: Point, points: list[Point]) -> None:
    known = [Place(str(n), f"店{n}", "", point, "", "") for n, point in enumerate(points)]
    found = [far for _, far in places.nearest(known, here)]
    assert found == sorted(found) and len(found) == len(points)
