"""Whom a campaign reaches: the segment, then every exclusion in one fixed order, then a channel for each.

Hold-outs are taken from those for whom there is an offer and before the caps, because caps depend on what was sent: the
two arms differ in nothing but the message.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from members import attention, consent, erasing, segments
from members.tables import Consent, Follower, Identity, Member, Outbox, table
from scheduler import bundling, campaigns, packs, policy, trading_up
from scheduler.campaigns import Candidate
from scheduler.channels import WINDOW_AFTER_ACTION, WINDOW_AFTER_MESSAGE, Channel
from scheduler.legality import refused
from scheduler.packs import BY as PACK
from scheduler.packs import Packed
from scheduler.rules import Bundle, Campaign, CouponPack, PersonalOffer, PushRules, TradeUp

CHUNK = 500
SEND, HOLD_OUT, HOLD_OUT_GLOBAL, NO_COUPON = "send", "hold_out", "hold_out_global", "no_coupon"
identities, followers, members = table(Identity), table(Follower), table(Member)
outbox, consents = table(Outbox), table(Consent)
_REACH = (
    select(
        identities.c.member_id, identities.c.kind, identities.c.value, followers.c.followed,
        followers.c.message_at, followers.c.message_used, followers.c.action_at, followers.c.action_used,
    )
    .select_from(
        identities.outerjoin(followers, (identities.c.kind == "openid") & (identities.c.value == followers.c.openid))
    )
    .where(
        identities.c.member_id.in_(bindparam("of", expanding=True)),
        identities.c.ended_at.is_(None),
        (identities.c.kind == "phone") | ((identities.c.kind == "openid") & (identities.c.scope == bindparam("app"))),
    )
)  # fmt: skip
_MEMBERS = select(members.c.id, members.c.tier, members.c.personalised).where(
    members.c.id.in_(bindparam("of", expanding=True))
)
_GOT = select(outbox.c.member_id).where(
    outbox.c.campaign == bindparam("which"), func.substr(outbox.c.key, 1, bindparam("length")) == bindparam("prefix")
)
_GRANTED = select(consents.c.subject, consents.c.remaining).where(
    consents.c.topic == bindparam("about"), consents.c.granted
)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the funnel: why members left here, how many, and how many were left."""

    name: str
    gone: int
    left: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """One member of the audience: the arm, the offer, and the channel that is open now (none: waits for one)."""

    candidate: Candidate
    arm: str
    channel: str
    tier: str


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a campaign reaches: the funnel, each member with arm and offer, and in a pack what each is given."""

    steps: Sequence[Step]
    chosen: Sequence[Chosen]
    packed: Packed | None = None


@dataclass(slots=True)
class Funnel:
    """The members still in, and the steps that took the others out."""

    inside: list[int]
    steps: list[Step] = field(default_factory=list)

    def drop(self, name: str, gone: Iterable[int]) -> None:
        """Take these members out under this name."""
        out = set(gone)
        before = len(self.inside)
        self.inside = [member for member in self.inside if member not in out]
        self.steps.append(Step(name, before - len(self.inside), len(self.inside)))

    def keep(self, name: str, kept: Iterable[int]) -> None:
        """Take everybody else out under this name."""
        wanted = set(kept)
        self.drop(name, [member for member in self.inside if member not in wanted])


def choose(connection: Connection, name: str, rules: PushRules, now: datetime) -> Audience:
    """Return the funnel and the audience of a campaign, hold-outs included."""
    campaign = rules.campaigns[name]
    zone = rules.base.shop.zone
    everybody = segments.members_of(connection, rules.segments.get(campaign.to), now, zone)
    funnel = Funnel(everybody, [Step(f"人群「{campaign.to}」", 0, len(everybody))])
    kind = campaigns.kind_of(campaign)
    reach = _channels(connection, campaign, rules, funnel.inside, now)
    funnel.keep("没有合法渠道可达", reach)
    refusing = consent.refused_members(connection, consent.topics_of(kind, name))
    funnel.drop("已退订", refusing | erasing.waiting_members(connection))
    prefix = f"{name}:{campaigns.period_of(campaign, now, zone)}:"
    got = connection.execute(_GOT, {"which": name, "prefix": prefix, "length": len(prefix)})
    funnel.drop("本期已有", got.scalars())
    tiers, impersonal = _wishes(connection, funnel.inside)
    offers: dict[int, Candidate] = {}
    if isinstance(campaign, PersonalOffer | CouponPack) and campaign.offer.plain is not None:
        offers = {member: campaigns.plain(member, name) for member in impersonal}
    else:
        funnel.drop("不要个性化", impersonal)
    personal = [member for member in funnel.inside if member not in offers]
    desk = None
    if isinstance(campaign, CouponPack):
        desk = packs.lay_out(connection, name, rules, campaign, personal, sorted(offers), now)
        offers |= {member: Candidate(member, "", trace={"by": PACK}) for member in personal}
        offers = {member: offers[member] for member in desk.members()}
        for member in desk.plain:
            offers[member].trace["cost"] = desk.plain_cost
    else:
        offers |= {one.member: one for one in _found(campaign)(connection, name, rules, personal, now)}
    funnel.keep("没有合适的优惠" if kind == "marketing" else "没有到期的补货", offers)
    held = _hold_out(name, campaign, rules, funnel)
    capped = policy.capped(connection, rules.policy.at_most, kind, now)
    funnel.drop("频次已满", capped | attention.spent(connection, now))
    without, packed = dict[int, str](), None
    if desk is not None:
        packed = packs.assign(desk, funnel.inside)
        without = {member: NO_COUPON for member in funnel.inside if member not in packed}
        funnel.drop("预算或库存轮不到", without)
    sent = [Chosen(offers[member], SEND, reach[member], tiers[member]) for member in funnel.inside]
    others = [Chosen(offers[member], arm, "", tiers[member]) for member, arm in (held | without).items()]
    return Audience(funnel.steps, sent + others, packed)


def _found(campaign: Campaign) -> Callable[..., Iterator[Candidate]]:
    """Return what finds the offers of this kind of campaign."""
    match campaign:
        case TradeUp():
            return trading_up.candidates
        case Bundle():
            return bundling.candidates
    return campaigns.candidates


def _hold_out(name: str, campaign: Campaign, rules: PushRules, funnel: Funnel) -> dict[int, str]:
    globally = [m for m in funnel.inside if policy.held_out(m, rules.policy.hold_out)]
    funnel.drop("全局对照组", globally)
    here = [m for m in funnel.inside if policy.held_out(m, campaign.hold_out, name)]
    funnel.drop("活动对照组", here)
    return dict.fromkeys(globally, HOLD_OUT_GLOBAL) | dict.fromkeys(here, HOLD_OUT)


def _wishes(connection: Connection, inside: Sequence[int]) -> tuple[dict[int, str], set[int]]:
    """Return the tier of each member, and who wants nothing personal."""
    tiers: dict[int, str] = {}
    impersonal: set[int] = set()
    for start in range(0, len(inside), CHUNK):
        for row in connection.execute(_MEMBERS, {"of": list(inside[start : start + CHUNK])}):
            tiers[row.id] = row.tier
            if not row.personalised:
                impersonal.add(row.id)
    return tiers, impersonal


def _channels(
    connection: Connection, campaign: Campaign, rules: PushRules, inside: Sequence[int], now: datetime
) -> dict[int, str]:
    """Return the first legal channel open to each reachable member; "" for who waits until one opens."""
    legal = [channel for channel in campaign.channels if not refused(campaign, channel)]
    consents_left = _consents(connection, campaign, rules)
    found: dict[int, str] = {}
    for start in range(0, len(inside), CHUNK):
        bound = {"of": list(inside[start : start + CHUNK]), "app": rules.app_id}
        ways: dict[int, list[Any]] = {}
        for row in connection.execute(_REACH, bound):
            ways.setdefault(row.member_id, []).append(row)
        for member, rows in ways.items():
            channel = _first(legal, member, rows, consents_left, now)
            if channel is not None:
                found[member] = channel
    return found


def _consents(connection: Connection, campaign: Campaign, rules: PushRules) -> Mapping[Channel, set[str]]:
    found = {Channel.SMS: {row.subject for row in connection.execute(_GRANTED, {"about": consent.SMS})}}
    rule = rules.subscriptions.get(campaign.subscription or "")
    if rule is not None:
        rows = connection.execute(_GRANTED, {"about": consent.subscription(rule.template_id)})
        found[Channel.SUBSCRIPTION] = {row.subject for row in rows if row.remaining}
    return found


def _first(
    legal: Sequence[Channel], member: int, rows: Sequence[Any], consents_left: Mapping[Channel, set[str]], now: datetime
) -> str | None:
    openids = [row for row in rows if row.kind == "openid"]
    for channel in legal:
        match channel:
            case Channel.REPLY if openids:
                return channel
            case Channel.SERVICE if any(window_open(row, now) for row in openids):
                return channel
            case Channel.SUBSCRIPTION if any(
                row.followed and consent.of_openid(row.value) in consents_left.get(channel, ()) for row in openids
            ):
                return channel
            case Channel.SMS if len(openids) < len(rows) and consent.of_member(member) in consents_left[channel]:
                return channel
    return "" if openids and Channel.SERVICE in legal else None


def window_open(follower: Any, now: datetime) -> bool:
    """Tell whether a customer-service message could reach this follower now."""
    wrote, acted = follower.message_at, follower.action_at
    message = wrote is not None and now - wrote < WINDOW_AFTER_MESSAGE.length
    action = acted is not None and now - acted < WINDOW_AFTER_ACTION.length
    return bool(follower.followed) and (
        (message and follower.message_used < WINDOW_AFTER_MESSAGE.messages)
        or (action and follower.action_used < WINDOW_AFTER_ACTION.messages)
    )
