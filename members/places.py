"""Where the stores are and which is near: great-circle distances, and stores found by the name people say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from urllib.parse import quote

from sqlalchemy import Connection, Row, select, update

from members.tables import Follower, table
from members.tables import Store as StoreRow

EARTH_METRES = 6_371_008.8  # mean radius R1 of GRS 80 (Moritz, Journal of Geodesy 74, 2000)
REREAD = timedelta(minutes=1)
NEAR_FRESH = timedelta(minutes=30)
NEAR_AGAIN = timedelta(minutes=5)
_stores, _followers = table(StoreRow), table(Follower)
_ALL = (
    select(
        _stores.c.id, _stores.c.name, _stores.c.address, _stores.c.lat, _stores.c.lon, _stores.c.hours, _stores.c.phone
    )
    .where(_stores.c.active)
    .order_by(_stores.c.id)
)
_SPLIT = re.compile(r"[\s·・()()【】-]+")
_SUFFIX = re.compile(r"(?:分店|门店|店铺|店)$")
_DISTRICT = re.compile(r"(?:^|[省市州盟])([^省市区县路街]{1,6}?)(新区|区|县|镇)")


@dataclass(frozen=True, slots=True)
class Point:
    """A place on earth in degrees."""

    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Place:
    """One store and where it is, if that is known."""

    id: str
    name: str
    address: str
    point: Point | None
    hours: str
    phone: str

    @property
    def spoken(self) -> frozenset[str]:
        """Return the names people say: 人民路 and 人民路店 of 「邻家生鲜 人民路店」, 浦东 of its district."""
        parts = [part for part in _SPLIT.split(self.name) if part]
        last = parts[-1] if parts else ""
        short = _SUFFIX.sub("", last)
        districts = {found[1] for found in _DISTRICT.finditer(self.address)}
        return frozenset(word for word in (self.name, last, short, *districts) if len(word) >= 2)

    @property
    def map_url(self) -> str:
        """Return a page with the store on a map, '' when its place is unknown.

        Tencent's URI API: /uri/v1/marker?marker=coord:LAT,LON;title:…;addr:…&referer=… (lbs.qq.com, 地图调起).
        """
        if self.point is None:
            return ""
        marker = f"coord:{self.point.lat},{self.point.lon};title:{self.name};addr:{self.address or self.name}"
        return f"https://apis.map.qq.com/uri/v1/marker?marker={quote(marker, safe=':,')}&referer=memberbot"


@dataclass(slots=True)
class Places:
    """The stores as the books have them, read again when they are a minute old; one writer uses it at a time."""

    _read: Sequence[Place] = ()
    _at: datetime | None = None

    def of(self, connection: Connection, now: datetime) -> Sequence[Place]:
        """Return all open stores."""
        if self._at is None or not timedelta() <= now - self._at < REREAD:
            self._read, self._at = [_place(row) for row in connection.execute(_ALL)], now
        return self._read


def _place(row: Row[str, str, str, float | None, float | None, str, str]) -> Place:
    point = None if row.lat is None or row.lon is None else Point(float(row.lat), float(row.lon))
    return Place(row.id, row.name, row.address, point, row.hours, row.phone)


def metres(one: Point, other: Point) -> float:
    """Return the great-circle distance by the haversine formula (R. W. Sinnott, Sky & Telescope 68, 1984, p. 159)."""
    north, east = radians(other.lat - one.lat), radians(other.lon - one.lon)
    h = sin(north / 2) ** 2 + cos(radians(one.lat)) * cos(radians(other.lat)) * sin(east / 2) ** 2
    return 2 * EARTH_METRES * asin(min(1.0, sqrt(h)))


def nearest(places: Sequence[Place], point: Point) -> list[tuple[Place, float]]:
    """Return the stores whose place is known with their distance in metres, the nearest first."""
    found = [(place, metres(place.point, point)) for place in places if place.point is not None]
    return sorted(found, key=lambda pair: (pair[1], pair[0].id))


def from_store(places: Sequence[Place], near: str) -> list[Place]:
    """Return all stores, this one first, then by their distance from it; those of unknown place last."""
    here = next((place for place in places if place.id == near), None)
    if here is None:
        return list(places)
    if here.point is None:
        return [here, *(place for place in places if place is not here)]
    known = [place for place, _ in nearest(places, here.point)]
    return [here, *(p for p in known if p is not here), *(p for p in places if p.point is None and p is not here)]


def named(places: Sequence[Place], words: str) -> list[Place]:
    """Return the stores that a simplified text names, by the longest name or district in it."""
    best, found = 0, list[Place]()
    for place in places:
        length = max((len(name) for name in place.spoken if name in words), default=0)
        if length > best:
            best, found = length, [place]
        elif length and length == best:
            found.append(place)
    return found


def came_near(connection: Connection, openid: str, store: str, now: datetime) -> None:
    """Remember which store somebody is near; of where they are, nothing else is kept."""
    mine = _followers.c.openid == openid
    connection.execute(update(_followers).where(mine).values(near_store=store, near_at=now))
