"""Coupons: issued, locked, redeemed, reversed, voided, given to friends."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from sqlalchemy import Connection, select

from members import coupons
from members.rules import VOUCHER
from members.tables import Coupon, CouponTemplate, table
from tests.properties.machine import Luck, Machine, luck, who
from tests.properties.model_coupons import Template
from tests.properties.world import COUPONS, TILL, VOUCHER_DAYS, ZONE

copies, templates = table(Coupon), table(CouponTemplate)
TILLS = st.sampled_from(["till-1", "till-2"])
which = st.integers(0, 40)
LATEST = 6


class CouponRules(Machine):
    """The life of a coupon."""

    def opened(self) -> None:
        """Tell the model of the templates."""
        super().opened()
        self.held: dict[str, int] = {}
        self.words: list[str] = []
        for code, said in COUPONS.items():
            self.model.templates[code] = Template(
                days=int(str(said["valid"]).split()[0]),
                worst=100 * said.get("off", said.get("cap", said.get("cost", 0))), thing="gift" in said,
                stock=said.get("stock"), budget=100 * said["budget"] if "budget" in said else None,
                per_member=said.get("per_member"), per_day=said.get("per_day"),
                transferable=said.get("transferable", False),
            )  # fmt: skip

        self.model.templates[VOUCHER] = Template(days=VOUCHER_DAYS, worst=0)

    def pick(self, number: int) -> str | None:
        """One of the copies, newer ones sooner."""
        keys = list(self.held)
        return keys[-1 - number % min(len(keys), LATEST if number % 3 else len(keys))] if keys else None

    def hold(self, key: str, row: Any) -> None:
        """Remember a copy that came as a gift."""
        self.held[key] = row.id

    def code_of(self, key: str) -> str:
        """The code a copy has by now: it changes with its owner."""
        with self.database.reading() as connection:
            return str(connection.execute(select(copies.c.code).where(copies.c.id == self.held[key])).scalar_one())

    @rule(who=who, code=st.sampled_from(sorted(COUPONS)), fate=luck)
    def issue(self, who: int, code: str, fate: Luck) -> None:
        key, now, who = self.key("coupon"), self.now, self.model.survivor(who)

        def deed(connection: Connection) -> coupons.Issued:
            return coupons.issue(
                connection, code, self.law.coupons[code], self.ids[who], key=key, by=TILL, reason="test", zone=ZONE,
                now=now,
            )  # fmt: skip

        done = self.act(deed, lambda model: model.issue(key, code, who), fate)
        if done:
            self.held[key] = done[0].id
            assert done[0].expires_at == done[1].expires

    @rule(which=which, till=TILLS, locks=st.booleans(), discount=st.sampled_from([0, 1, 5_00]), fate=luck)
    def redeem(self, which: int, till: str, locks: bool, discount: int, fate: Luck) -> None:
        key, now = self.pick(which), self.now
        if key is None:
            return
        code, held = self.code_of(key), key

        def deed(connection: Connection) -> int:
            return coupons.redeem(
                connection, code, by=TILL, store="s1", now=now, lock_key=till if locks else "", discount=discount
            ).id

        self.act(deed, lambda m: m.redeem(held, lock_key=till if locks else "", discount=discount), once(fate))

    @rule(which=which, till=TILLS, seconds=st.sampled_from([60, 7200]), fate=luck)
    def lock(self, which: int, till: str, seconds: int, fate: Luck) -> None:
        key, now = self.pick(which), self.now
        if key is None:
            return
        code, held = self.code_of(key), key

        def deed(connection: Connection) -> int:
            return coupons.lock(connection, code, lock_key=till, seconds=seconds, by=TILL, store="s1", now=now).id

        self.act(deed, lambda model: model.lock(held, till, seconds), fate)

    @rule(which=which, till=TILLS, fate=luck)
    def unlock(self, which: int, till: str, fate: Luck) -> None:
        key, now = self.pick(which), self.now
        if key is None:
            return
        code, held = self.code_of(key), key
        done = self.act(
            lambda connection: coupons.unlock(connection, code, lock_key=till, now=now),
            lambda model: model.unlock(held, till), once(fate),
        )  # fmt: skip
        assert done and done[0] == done[1]

    @rule(which=which, fate=luck)
    def reverse(self, which: int, fate: Luck) -> None:
        key, now = self.pick(which), self.now
        if key is None or self.model.copies[key].order is not None:
            return
        held = key
        done = self.act(
            lambda connection: coupons.reverse(connection, self.held[held], by=TILL, now=now).state,
            lambda model: model.reverse(held), once(fate),
        )  # fmt: skip
        assert not done or done[0] == done[1]

    @rule(which=which, give_back=st.booleans(), fate=luck)
    def void(self, which: int, give_back: bool, fate: Luck) -> None:
        key, now = self.pick(which), self.now
        if key is None:
            return
        held = key
        done = self.act(
            lambda connection: coupons.void(connection, self.held[held], by=TILL, now=now, give_back=give_back),
            lambda model: model.void(held, give_back=give_back), once(fate),
        )  # fmt: skip
        assert done and done[0] == done[1]

    @rule(which=which, who=who, own=st.booleans(), hours=st.sampled_from([1, 48]), fate=luck)
    def offer(self, which: int, who: int, own: bool, hours: int, fate: Luck) -> None:
        key, now = self.pick(which), self.now
        if key is None:
            return
        code, held = self.code_of(key), key
        giver = self.model.copies[key].owner if own else self.model.survivor(who)

        def deed(connection: Connection) -> Any:
            return coupons.offer_transfer(connection, self.world.vault, self.ids[giver], code, now=now, hours=hours)

        done = self.act(deed, lambda model: model.offer(held, giver, hours), once(fate))
        if done:
            self.words.append(done[0])

    @rule(number=st.integers(0, 5), who=who, fate=luck)
    def claim(self, number: int, who: int, fate: Luck) -> None:
        if not self.words:
            return
        number, who, now = len(self.words) - 1 - number % len(self.words), self.model.survivor(who), self.now
        word = self.words[number]

        def deed(connection: Connection) -> int:
            return coupons.claim_transfer(connection, self.world.vault, self.ids[who], word, now=now).id

        self.act(deed, lambda model: model.claim(number, who), once(fate))

    @invariant()
    def check_coupons(self) -> None:
        """Every copy is where the model has it: issued = held + redeemed + expired + void, and the money agrees."""
        with self.database.reading() as connection:
            found = {row.id: row for row in connection.execute(select(copies))}
            assert found.keys() == set(self.held.values()) and self.held.keys() == self.model.copies.keys()
            for key, copy in self.model.copies.items():
                row = found[self.held[key]]
                seen = (row.state, row.member_id, row.granted_to, row.discount, row.reserved, row.returned)
                owner, granted = self.ids[copy.owner], self.ids[copy.granted_to]
                assert seen == (copy.state, owner, granted, copy.discount, copy.reserved, copy.returned), key
            for row in connection.execute(select(templates)):
                if row.code in self.model.templates:
                    assert row.issued == self.model.issued(row.code)
                    assert row.committed == self.model.committed(row.code)


def once(fate: Luck) -> Luck:
    """What is done is not done again: a repetition would be another deed."""
    return Luck(fate.nth, fate.kind)
