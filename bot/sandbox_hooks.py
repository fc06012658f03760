"""What the local platform is shown of the shop: its people, its books, its log."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from bot.demo import CAST
from bot.sandbox import Person
from bot.sandbox_books import written
from bot.service import Service
from members import arrivals, identity, settings, shops, staffing
from members.tables import Verification, table
from members.vault import normalise_phone
from scheduler import reports

ROLES = {"cashier": "收银员", "adviser": "导购", "manager": "店长", "head_office": "总部"}
codes = table(Verification)


class ShopHooks:
    """Implements bot.sandbox.Hooks over a service; every call opens its own reading transaction."""

    def __init__(self, service: Service, move: Callable[[datetime], Awaitable[None]]) -> None:
        self._service, self._move = service, move

    def shop_name(self) -> str:
        """Return the name above the chat."""
        return self._service.config.shop.name

    def people(self) -> list[Person]:
        """Return demo members, strangers with a phone to bind, and staff."""
        with self._service.database.reading() as connection:
            cast = settings.get(connection, CAST) or {}
            staff = shops.list_staff(connection)
            people = [
                Person(
                    row["openid"], row["label"], row["group"], row["note"], row.get("phone"), row["group"] == "member"
                )
                for row in cast.get("people", [])
            ]
            for person in staff:
                if person.openid and person.active:
                    store = shops.name_of(connection, person.store_id) or ""
                    people.append(Person(person.openid, person.name, "staff", f"{ROLES[person.role]} {store}".strip()))
        return people

    def owner_of(self, phone: str) -> list[str]:
        """Return who asked for a code to this phone, else who speaks for its member."""
        vault, app = self._service.vault, self._service.config.wechat.app_id
        normal = normalise_phone(phone)
        asked = (
            select(codes.c.openid)
            .where(codes.c.phone_index == vault.blind_index("phone", normal), codes.c.state == "open")
            .order_by(codes.c.id.desc())
        )
        with self._service.database.reading() as connection:
            openid = connection.execute(asked.limit(1)).scalar_one_or_none()
            if openid is not None:
                return [openid]
            member = identity.find_by_phone(connection, vault, normal)
            return [] if member is None else identity.openids_of(connection, member, app)

    def books(self, openid: str, since_turn_at: datetime) -> list[dict[str, Any]]:
        """Return what was written for or by this person since then, newest last."""
        with self._service.database.reading() as connection:
            member = identity.find(connection, "openid", openid, self._service.config.wechat.app_id)
            return written(connection, openid, member, since_turn_at)

    def log(self, limit: int) -> list[dict[str, Any]]:
        """Return what was sent and why, newest first."""
        with self._service.database.reading() as connection:
            return list(reports.sent_log(connection, limit))

    def qr_scenes(self) -> list[dict[str, Any]]:
        """Return the codes on the shop's walls: those of a store and of who serves there, of a campaign, of a table."""
        with self._service.database.reading() as connection:
            server = next((one for one in staffing.active(connection) if one.store is not None), None)
            store = shops.name_of(connection, server.store) if server is not None else None
        named: list[tuple[str, object, str]] = []
        if server is not None:
            named += [("store", server.store, f"{store}入口立牌"), ("staff", server.id, f"{server.name}的工牌")]
        campaigns = [
            ("campaign", name, f"「{name}」海报") for name in self._service.config.campaigns if len(name) <= 60
        ]
        found = [*named, *campaigns[:1]]
        codes = [{"scene": arrivals.scene_of(kind, str(ref)), "title": title} for kind, ref, title in found]
        return [*codes, {"scene": "table_8", "title": "8号桌桌牌"}]

    def subscriptions(self) -> list[dict[str, Any]]:
        """Return the subscription notices a member can be asked for."""
        rules = self._service.config.wechat.subscriptions.values()
        return [{"template_id": r.template_id, "title": r.title, "fields": dict(r.fields)} for r in rules]

    def move_clock(self, to: datetime) -> Awaitable[None]:
        """Move the shop's clock forward and run what falls due."""
        return self._move(to)
