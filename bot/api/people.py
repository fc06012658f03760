"""Members as tills see them: found, made, looked up; a phone is never shown in full."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from bot.api import telling
from bot.api.answers import (
    BalanceOut,
    CouponOut,
    MemberFound,
    MemberOut,
    PerkOut,
    PerkUsed,
    PlanBought,
    PlanOut,
)
from bot.api.asked import MemberIn, PerkIn, PlanIn
from bot.api.call import Answer, Call, Here
from bot.api.describing import operation
from bot.api.fields import Ref, StoreId
from bot.api.reading import usable
from members import audit, buyers, consent, coupons, identity, ledger, perks, plans, tiers
from members.enrolling import Newcomer, enrol
from members.errors import MemberError
from members.sales import Buyer
from members.vault import mask_phone

PEOPLE = "members"


def add_routes(router: APIRouter) -> None:
    """Add what tills do with members."""

    @router.post("/members", **operation("members:write", "找到或新建会员", PEOPLE, MemberFound, status=201, also=200))
    def put_member(call: Here, body: MemberIn) -> Response:
        """Find a member by any identity given, or make one; what belongs to nobody yet is added to them."""
        return call.write(body, lambda connection: _put(call, connection, body))

    @router.post("/members/{ref}/perks", **operation("members:write", "用一次权益", PEOPLE, PerkUsed))
    def use_perk(call: Here, ref: Ref, body: PerkIn) -> Response:
        """Use a perk once; 409 perk_none when the member has none of that name, perk_used_up when the month's are."""
        return call.write(body, lambda connection: _use_perk(call, connection, ref, body))

    @router.post("/members/{ref}/plan", **operation("members:write", "开通付费会员", PEOPLE, PlanBought, status=201))
    def buy_plan(call: Here, ref: Ref, body: PlanIn) -> Response:
        """Record that a paid plan was bought at the till; 409 plan_unknown for one that is not sold."""
        return call.write(body, lambda connection: _buy_plan(call, connection, ref, body))

    @router.get("/members/{ref}", **operation("members:read", "查会员", PEOPLE, MemberOut, writes=False))
    def get_member(call: Here, ref: Ref, store: StoreId | None = None) -> Response:
        """Look a member up by member code, phone, card, openid, member id, or a shop's ISSUER:NUMBER."""
        return call.look_up(lambda connection: _looked_up(call, connection, ref, store))


def _put(call: Call, connection: Connection, body: MemberIn) -> Answer:
    service, store = call.service, call.store(connection, body.store)
    named = {kind: value for kind in ("phone", "card", "shop", "openid") if (value := getattr(body, kind)) is not None}
    said = {consent.MARKETING: body.marketing, consent.SMS: body.sms}
    consents = {topic: wanted for topic, wanted in said.items() if wanted is not None}
    done = enrol(
        connection, service.vault, service.config.rules, Newcomer(named, store, body.birthday, consents),
        app=service.config.wechat.app_id, by=call.by, now=call.now,
    )  # fmt: skip
    shown = member_seen(call, connection, done.member, store)
    body_out = MemberFound(**shown.model_dump(), created=done.created, adopted=done.adopted)
    return Answer(body_out, 201 if done.created else 200)


def _looked_up(call: Call, connection: Connection, ref: str, store: str | None) -> MemberOut:
    """Show a member; every look is in the audit trail."""
    member = named(call, connection, *guesses(ref))
    audit.write(connection, call.by, "member.lookup", member, {}, now=call.now)
    return member_seen(call, connection, member, call.store(connection, store))


def _use_perk(call: Call, connection: Connection, ref: str, body: PerkIn) -> Answer:
    store, member = call.store(connection, body.store), named(call, connection, *guesses(ref))
    done = perks.use(connection, call.service.config.rules, member, body.perk, by=call.by, now=call.now)
    telling.perk_used(call, connection, member, done, store)
    return Answer(PerkUsed(member=member, **_perk(done)))


def _buy_plan(call: Call, connection: Connection, ref: str, body: PlanIn) -> Answer:
    store, member = call.store(connection, body.store), named(call, connection, *guesses(ref))
    key = f"{call.by.name}:{call.key}:{call.now.isoformat()}"
    tiers.buy(connection, call.service.config.rules, member, body.plan, key=key, by=call.by, now=call.now)
    done = plans.bought(connection, key)
    telling.plan_bought(call, connection, member, done, store)
    bought = PlanBought(member=member, plan=done.plan, price=done.price, since=done.since, until=done.until)
    return Answer(bought, 201)


def _perk(perk: perks.Perk) -> dict[str, Any]:
    return {"perk": perk.name, "per_month": perk.per_month, "used": perk.used, "left": perk.left}


def guesses(ref: str) -> Iterator[Buyer]:
    """Yield what a reference may mean, the likeliest first."""
    digits = ref.isascii() and ref.isdecimal()
    if digits and len(ref) == 12:
        yield Buyer("code", ref)
    if digits and len(ref) <= 10:
        yield Buyer("member", ref)
    for kind in ("phone", "card", "openid"):
        yield Buyer(kind, ref)
    if ":" in ref:
        yield Buyer("shop", ref)


def named(call: Call, connection: Connection, *meant: Buyer) -> int:
    """Return the active member whom the first fitting reference names; MemberError('member_unknown')."""
    vault, app = call.service.vault, call.service.config.wechat.app_id
    for buyer in meant:
        try:
            found = buyers.find(connection, vault, buyer, app=app, at=call.now, now=call.now)
        except MemberError:  # no phone by its shape
            continue
        held = buyers.hold(connection, found)
        if held is not None:
            return held.id
    raise MemberError("member_unknown")


def member_seen(call: Call, connection: Connection, member: int, store: str | None) -> MemberOut:
    """Return what a till needs: no name, no full phone; coupon codes only for keys that may redeem."""
    rules, plan = call.service.config.rules, tiers.plan_of(connection, member, call.now)
    owned, phone = ledger.balances(connection, member), identity.phone_of(connection, call.service.vault, member)
    return MemberOut(
        id=member, phone=mask_phone(phone) if phone else None, card=identity.card_of(connection, member),
        tier=tiers.of_member(connection, member), points=ledger.good_points(connection, member, call.now)[0],
        pending=owned["pending"], balance=BalanceOut(principal=owned["principal"], gift=owned["gift"]),
        coupons=list(_coupons(call, connection, member, store)),
        perks=[PerkOut(**_perk(perk)) for perk in perks.of(connection, rules, member, call.now)],
        plan=None if plan is None else PlanOut(plan=plan.name, until=plan.until),
    )  # fmt: skip


def _coupons(call: Call, connection: Connection, member: int, store: str | None) -> Iterator[CouponOut]:
    for copy in usable(call, connection, member, store):
        code = coupons.spell(copy.code) if call.redeems else None
        yield CouponOut(
            title=copy.title, template=copy.template, expires_at=copy.expires_at, how=copy.rule.how, code=code
        )
