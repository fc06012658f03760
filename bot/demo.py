"""The demo shop: secrets made once, real purchases imported, a cast of members, strangers and staff."""

import base64
import secrets
from collections.abc import MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from bot.service import Service
from members import coupons, identity, people, settings, shops
from members.importing.completejourney_names import demo_phone
from members.importing.progress import Progress
from members.importing.report import CleaningReport
from members.tables import Identity, Order, table
from members.vault import generate_key, national, normalise_phone
from scheduler import policy

if TYPE_CHECKING:
    from members.importing.completejourney import ImportOptions

CAST = "sandbox:cast"
HOUSEHOLDS = 300
MEMBERS, STRANGERS = 6, 3
GIFT = "off-20-over-100"
ENV_FILE = "demo.env"
identities, orders = table(Identity), table(Order)


def environment(folder: Path, env: MutableMapping[str, str], address: str) -> None:
    """Fill what the caller's environment leaves open with the demo's secrets, made once and kept in `folder`."""
    path = folder / ENV_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in _secrets().items()))
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        env.setdefault(name, value)
    env.setdefault("MEMBERBOT_SANDBOX__ENABLED", "true")
    env.setdefault("MEMBERBOT_SMS__PROVIDER", "sandbox")
    env.setdefault("MEMBERBOT_WECHAT__API_BASE", f"{address}/sandbox")
    env.setdefault("MEMBERBOT_WECHAT__PUBLIC_URL", address)


def _secrets() -> dict[str, str]:
    return {
        "WECHAT_APP_ID": f"wx{secrets.token_hex(8)}",
        "WECHAT_APP_SECRET": secrets.token_hex(16),
        "WECHAT_TOKEN": secrets.token_hex(12),
        "WECHAT_AES_KEY": base64.b64encode(secrets.token_bytes(32)).decode().rstrip("="),
        "MEMBERBOT_MASTER_KEY": generate_key(),
    }


def options(service: Service, households: int | None, *, shift: bool = True) -> "ImportOptions":
    """Return how the demo shop is imported under this configuration."""
    # brings numpy and pyarrow: only an import needs and waits for them
    from members.importing.completejourney import ImportOptions

    loyalty = service.config.loyalty
    return ImportOptions(
        households=households, shift_to_today=shift, zone=service.config.shop.zone,
        points_per_yuan=loyalty.earn.points_per_yuan, expiry_months=loyalty.expiry.months, tiers=loyalty.tiers,
    )  # fmt: skip


def bring_in(service: Service, households: int | None, progress: Progress, *, shift: bool = True) -> CleaningReport:
    """Import the demo shop."""
    from members.importing.completejourney import import_completejourney

    return import_completejourney(
        service.database, service.vault, options(service, households, shift=shift), now=service.clock.now(),
        progress=progress,
    )  # fmt: skip


def is_ready(service: Service) -> bool:
    """Tell whether the demo was set up before."""
    with service.database.reading() as connection:
        return settings.get(connection, CAST) is not None


def set_up(service: Service, progress: Progress, households: int | None = HOUSEHOLDS) -> None:
    """Import the demo slice and cast the people of the chat page; nothing happens the second time."""
    if is_ready(service):
        return
    bring_in(service, households, progress)
    with service.database.transaction() as connection:
        found = connection.execute(
            select(identities.c.value, identities.c.member_id, func.count(orders.c.id).label("visits"))
            .select_from(identities.join(orders, orders.c.member_id == identities.c.member_id))
            .where(identities.c.kind == "shop", identities.c.ended_at.is_(None))
            .group_by(identities.c.value, identities.c.member_id)
            .order_by(func.count(orders.c.id).desc(), identities.c.member_id)
        ).all()
        # whoever is talked to on the page should also see the campaigns: nobody from a hold-out is cast
        found = [row for row in found if not _held_out(service, row.member_id)][: MEMBERS + STRANGERS]
        now = service.clock.now()
        app, rule = service.config.wechat.app_id, service.config.coupons.get(GIFT)
        cast = []
        for number, row in enumerate(found, 1):
            phone = national(normalise_phone(demo_phone(int(row.value))))
            if rule is not None:
                coupons.issue(
                    connection, GIFT, rule, row.member_id, key=f"demo:{row.value}", by="demo", reason="体验礼",
                    zone=service.config.shop.zone, now=now,
                )  # fmt: skip
            note = f"户{row.value} · {row.visits}次到店"
            if number <= MEMBERS:
                openid = f"oDemoMember{number:02d}"
                identity.add(connection, row.member_id, "openid", app, openid, source="demo", now=now)
                people.follow(connection, openid, now)
                cast.append(
                    {"openid": openid, "label": f"会员{number}", "group": "member", "note": note, "phone": phone}
                )
            else:
                place = number - MEMBERS
                person = {"openid": f"oDemoStranger{place:02d}", "label": f"陌生人{place}", "group": "stranger"}
                cast.append({**person, "note": f"可绑定 {phone}({note})", "phone": phone})
        store = connection.execute(select(orders.c.store_id).limit(1)).scalar_one_or_none()
        shops.add_staff(connection, openid="oDemoCashier", name="小王", role="cashier", store=store, now=now)
        shops.add_staff(connection, openid="oDemoManager", name="李店长", role="manager", store=store, now=now)
        settings.put(connection, CAST, {"people": cast})


def _held_out(service: Service, member: int) -> bool:
    config = service.config
    return policy.held_out(member, config.policy.hold_out) or any(
        policy.held_out(member, campaign.hold_out, name) for name, campaign in config.campaigns.items() if campaign.on
    )


def make_staff(service: Service, openid: str) -> None:
    """Make an openid of the sandbox a cashier, where it is not staff yet."""
    with service.database.transaction() as connection:
        if all(person.openid != openid or not person.active for person in shops.list_staff(connection)):
            store = connection.execute(select(orders.c.store_id).limit(1)).scalar_one_or_none()
            now = service.clock.now()
            shops.add_staff(connection, openid=openid, name="体验店员", role="cashier", store=store, now=now)
