"""Writing members of a table into the books: one call, one transaction, everything of a row or nothing of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from members import adoption, consent, identity, points, tags, tails
from members.bulk import insert_rows, take_ids
from members.importing.drafts import Draft, Opening, Said
from members.importing.run import Run
from members.ledger import Booking, Leg
from members.ledger_bulk import post_many
from members.tables import AuditLog, Entry, Identity, Member, Movement, Order, TierEvent, table

WRITTEN = ("新会员", "补全的会员", "身份", "期初积分", "期初余额", "标签", "认领的订单")
OPENING, TIER = "期初导入", "导入时的等级"
members, identities, orders = table(Member), table(Identity), table(Order)
movements, entries, events, log = table(Movement), table(Entry), table(TierEvent), table(AuditLog)
_MEMBER = ("id", "created_at", "state", "tier", "home_store", "birthday", "personalised", "chain_seq", "chain_hash")
_IDENTITY = ("member_id", "kind", "scope", "value", "sealed", "source", "created_at", "ended_by")
Known = tuple[str, str, str]

_OWNERS = select(identities.c.value, identities.c.member_id).where(
    identities.c.kind == bindparam("k"), identities.c.scope == bindparam("s"), identities.c.ended_at.is_(None),
    identities.c.value.in_(bindparam("values", expanding=True)),
)  # fmt: skip
_HOLD = (
    select(members.c.id, members.c.birthday, members.c.home_store)
    .where(members.c.id.in_(bindparam("of", expanding=True)))
    .order_by(members.c.id)
    .with_for_update()
)
_KINDS = select(identities.c.member_id, identities.c.kind).where(
    identities.c.ended_at.is_(None), identities.c.member_id.in_(bindparam("of", expanding=True))
)
_WAITING = (
    select(orders.c.buyer)
    .where(orders.c.member_id.is_(None), orders.c.buyer.in_(bindparam("marks", expanding=True)))
    .distinct()
)
_OPENED = (
    select(movements.c.key, func.sum(entries.c.amount))
    .select_from(movements.join(entries))
    .where(movements.c.key.in_(bindparam("keys", expanding=True)), entries.c.member_id.is_not(None))
    .group_by(movements.c.key)
)


def write_members(connection: Connection, run: Run, drafts: Sequence[Draft]) -> tuple[Counter[str], list[Said]]:
    """Write a chunk; return how many rows of which kind, and what there is to say about its rows."""
    chunk = _Chunk(connection, run, drafts)
    chunk.place()
    chunk.make()
    chunk.identify()
    chunk.complete()
    chunk.open_accounts()
    chunk.adopt()
    return chunk.written, chunk.said


class _Chunk:
    """One chunk on its way: whose every identity is, which member each row is, and what there is to say."""

    def __init__(self, connection: Connection, run: Run, drafts: Sequence[Draft]) -> None:
        self.connection, self.run, self.drafts = connection, run, drafts
        self.placed: list[tuple[int, Draft]] = []
        self.made: dict[int, Draft] = {}
        self.known: dict[int, dict[str, Any]] = {}
        self.added: dict[int, list[Known]] = defaultdict(list)
        self.written: Counter[str] = Counter()
        self.said: list[Said] = []

    def place(self) -> None:
        """Find out which member each row is; a row that is nobody yet becomes a new one."""
        names = [_names(self.run, draft) for draft in self.drafts]
        wanted = [name for named in names for name in named]
        self.connection.execute(_HOLD, {"of": sorted(set(self._owners(wanted).values()))})
        owners = self._owners(wanted)  # again: somebody may have been merged before they were held
        rows = self.connection.execute(_HOLD, {"of": sorted(set(owners.values()))})
        self.known = {row.id: {"birthday": row.birthday, "home_store": row.home_store} for row in rows}
        held = set(owners.values())
        kinds = self._kinds(list(held))
        ids = iter(take_ids(self.connection, members, len(self.drafts)))
        for draft, named in zip(self.drafts, names, strict=True):
            found = {owners[name] for name in named if name in owners}
            member = found.pop() if found else next(ids)
            fresh = [name for name in named if name not in owners]
            if found:
                self._refuse(draft, "member_conflict", "手机号、卡号等不属于同一位会员,请先合并")
            elif any(kind == "phone" for kind, _, _ in fresh) and "phone" in kinds[member]:
                self._refuse(draft, "second_phone", "这位会员已有另一个手机号")
            else:
                if member in self.made:
                    self.said.append(Said("kept", draft, "row_again", "和前面的行是同一位会员,只补空白"))
                elif member not in held:
                    self.made[member] = draft
                owners |= dict.fromkeys(fresh, member)
                kinds[member] |= {kind for kind, _, _ in fresh}
                self.added[member] += fresh
                self.placed.append((member, draft))

    def _refuse(self, draft: Draft, code: str, reason: str) -> None:
        self.said.append(Said("rejected", draft, code, reason))

    def _owners(self, wanted: Sequence[Known]) -> dict[Known, int]:
        values: dict[tuple[str, str], list[str]] = defaultdict(list)
        for kind, scope, value in wanted:
            values[kind, scope].append(value)
        return {
            (kind, scope, row.value): row.member_id
            for (kind, scope), found in values.items()
            for row in self.connection.execute(_OWNERS, {"k": kind, "s": scope, "values": found})
        }

    def _kinds(self, held: Sequence[int]) -> dict[int, set[str]]:
        found: dict[int, set[str]] = defaultdict(set)
        for member, kind in self.connection.execute(_KINDS, {"of": held}):
            found[member].add(kind)
        return found

    def make(self) -> None:
        """Write the new members, and the tier some of them bring."""
        tier = self.run.rules.loyalty.tiers[0].name
        rows = [
            (member, draft.joined or self.run.now, "active", draft.tier or tier, draft.store or None, draft.birthday,
             True, 0, b"")
            for member, draft in self.made.items()
        ]  # fmt: skip
        insert_rows(self.connection, members, _MEMBER, rows)
        brought = [
            {"member_id": member, "at": self.run.now, "before": "", "after": draft.tier, "reason": TIER,
             "by": self.run.by.name}
            for member, draft in self.made.items()
            if draft.tier and draft.tier != tier
        ]  # fmt: skip
        if brought:
            self.connection.execute(insert(events), brought)
        self.written["新会员"] = len(self.made)

    def identify(self) -> None:
        """Write the identities nobody had, each phone sealed and with its tail; who brings no card is issued one."""
        keys = self.run.vault.create_member_keys(self.connection, self.made)
        phones = {member: draft.named["phone"] for member, draft in self.placed if "phone" in draft.named}
        rows: list[tuple[Any, ...]] = []
        for member, fresh in self.added.items():
            for kind, scope, value in fresh:
                sealed = None
                if kind == "phone":
                    key = keys.get(member) or self.run.vault.member_key(self.connection, member)
                    sealed = self.run.vault.seal(key, "phone", phones[member])
                    rows.append((member, tails.KIND, str(member), tails.index(self.run.vault, phones[member]), None))
                rows.append((member, kind, scope, value, sealed))
            if member in self.made and all(kind != "card" for kind, _, _ in fresh):
                rows.append((member, "card", "", identity.card_number(), None))
        rest = (self.run.by.name, self.run.now, "")
        insert_rows(self.connection, identities, _IDENTITY, [(*row, *rest) for row in rows])
        changed = [member for member, fresh in self.added.items() if fresh]
        told = [self._deed(member, [kind for kind, _, _ in self.added[member]]) for member in changed]
        if told:
            self.connection.execute(insert(log), told)
        self.written["身份"] = sum(len(fresh) for fresh in self.added.values())

    def _deed(self, member: int, kinds: list[str]) -> dict[str, Any]:
        by = self.run.by
        return {
            "at": self.run.now, "actor": by.name, "action": "member.create" if member in self.made else "member.link",
            "member_id": member, "store_id": by.store, "origin": by.origin, "approved_by": by.approved_by,
            "before": None, "after": None, "detail": {"kinds": sorted(kinds)},
        }  # fmt: skip

    def complete(self) -> None:
        """Fill the blanks of members who were there, put tags on, and note what they said about marketing."""
        for member, draft in self.placed:
            there = self.known.setdefault(member, {"birthday": draft.birthday, "home_store": draft.store or None})
            said = {"birthday": draft.birthday, "home_store": draft.store or None}
            blank = {name: value for name, value in said.items() if value and not there[name]}
            if blank:
                self.connection.execute(update(members).where(members.c.id == member).values(**blank))
                self.written["补全的会员"] += 1
                there |= blank
            if draft.marketing is not None:
                self._consent(member, draft.marketing)
        wanted_tags: dict[int, list[str]] = defaultdict(list)
        for member, draft in self.placed:
            wanted_tags[member] += draft.tags
        self.written["标签"] = tags.put_many(
            self.connection, wanted_tags, source="staff", by=self.run.by.name, now=self.run.now
        )

    def _consent(self, member: int, wanted: bool) -> None:
        subject = consent.of_member(member)
        known = consent.topics(self.connection, subject).get(consent.MARKETING)
        if known is None or (known[0] and not wanted):
            consent.answer(
                self.connection, subject, consent.MARKETING, wanted, source=self.run.by.name, now=self.run.now
            )

    def open_accounts(self) -> None:
        """Book what members owned before, each account of a member once ever."""
        wanted: dict[str, tuple[Draft, Booking]] = {}
        for member, draft in self.placed:
            for account, booking in _openings(self.run, member, draft.opening):
                wanted.setdefault(f"{account} {booking.key}", (draft, booking))
        bookings = [booking for _, booking in wanted.values()]
        keys = [booking.key for booking in bookings]
        known = {key: int(amount) for key, amount in self.connection.execute(_OPENED, {"keys": keys})}
        for draft, booking in wanted.values():
            if known.get(booking.key, booking.legs[0].amount) != booking.legs[0].amount:
                self.said.append(Said("kept", draft, "opening_again", "期初已经导入过,这次的数额不同,没有改"))
        done = post_many(self.connection, bookings)
        for booking, booked in zip(bookings, done, strict=True):
            self.written["期初积分" if booking.legs[0].account == "points" else "期初余额"] += booked.created

    def adopt(self) -> None:
        """Give members the orders they made before anybody knew them."""
        marks = {
            _mark(self.run, kind, value): member
            for member, fresh in self.added.items()
            for kind, _, value in fresh
        }  # fmt: skip
        waiting = self.connection.scalars(_WAITING, {"marks": list(marks)}).all()
        for member in sorted({marks[mark] for mark in waiting}):
            self.written["认领的订单"] += adoption.adopt(
                self.connection, self.run.vault, self.run.rules, member,
                [mark for mark in waiting if marks[mark] == member], app=self.run.app, by=self.run.by,
                now=self.run.now,
            )  # fmt: skip


def _names(run: Run, draft: Draft) -> list[Known]:
    scopes = {"openid": run.app, "shop": run.issuer}
    return [
        (kind, scopes.get(kind, ""), run.vault.blind_index("phone", value) if kind == "phone" else value)
        for kind, value in draft.named.items()
    ]


def _mark(run: Run, kind: str, value: str) -> str:
    """Return how an order remembers who is known by this; see members.buyers.mark."""
    if kind == "phone":
        return value
    return f"shop:{run.issuer}:{value}" if kind == "shop" else f"{kind}:{value}"


def _openings(run: Run, member: int, opening: Opening) -> Iterator[tuple[str, Booking]]:
    amounts = (
        ("points", opening.points, "issuer"),
        ("principal", opening.principal, "cash"),
        ("gift", opening.gift, "issuer"),
    )
    until = opening.points_until or points.expires_at(run.rules, run.now)
    for account, amount, other in amounts:
        if amount:
            legs = (Leg(account, amount, member), Leg(other, -amount))
            key = f"import:opening:{member}:{account}"
            expires = until if account == "points" else None
            yield account, Booking(
                key, "adjust", run.by.name, run.now, legs, OPENING, expires_at=expires, store_id=run.by.store
            )  # fmt: skip
