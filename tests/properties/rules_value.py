"""Points and balance: given, spent, adjusted, exchanged, topped up, paid, cashed out, undone."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import Connection

from members import balance, points
from tests.properties.machine import Luck, luck, who
from tests.properties.model import Model
from tests.properties.rules_people import PeopleRules
from tests.properties.world import TILL

PARTS = {"one": (0, 1), "third": (1, 3), "most": (2, 3), "all": (1, 1), "one more": (1, 1)}
part = st.sampled_from(sorted(PARTS))
some_points = st.one_of(st.integers(1, 60), st.sampled_from([100, 250, 10**6]))
some_fen = st.one_of(st.integers(1, 2000), st.sampled_from([1_00, 99_99, 100_00, 300_00, 1000_00, 1000_01]))


def portion(of: int, which: str) -> int:
    """So much of what there is, one at least; `one more` is too much."""
    over, under = PARTS[which]
    return max(of * over // under, 1) + (which == "one more")


class ValueRules(PeopleRules):
    """Everything that moves points or balance by itself."""

    def opened(self) -> None:
        """Remember what can be undone: (movement, key in the model)."""
        super().opened()
        self.undoable: list[tuple[int, str]] = []

    @rule(who=who, number=some_points, pending=st.booleans(), fate=luck)
    def give_points(self, who: int, number: int, pending: bool, fate: Luck) -> None:
        who = self.model.survivor(who)
        key, now = self.key("give"), self.now

        def deed(connection: Connection) -> int:
            return points.give(
                connection, self.law, self.ids[who], number, key=key, kind="gift", by=TILL, reason="赠送", now=now,
                pending=pending,
            )  # fmt: skip

        self.moved(key, self.act(deed, lambda model: model.give(key, who, number, pending=pending), fate))

    @rule(who=who, which=part, fate=luck)
    def spend_points(self, who: int, which: str, fate: Luck) -> None:
        who = self.model.survivor(who)
        key, now = self.key("spend"), self.now
        number = portion(self.model.people[who].good(now), which)

        def deed(connection: Connection) -> int:
            return points.spend(connection, self.ids[who], number, key=key, by=TILL, reason="兑换", now=now)

        self.moved(key, self.act(deed, lambda model: model.spend(key, who, number), fate))

    @rule(who=who, which=part, up=st.booleans(), fate=luck)
    def adjust_points(self, who: int, which: str, up: bool, fate: Luck) -> None:
        who = self.model.survivor(who)
        key, now = self.key("adjust"), self.now
        number = portion(self.model.people[who].good(now), which)
        delta = number if up else -number

        def deed(connection: Connection) -> int:
            member = self.ids[who]
            return points.adjust(connection, self.law, member, delta, key=key, by=TILL, reason="更正", now=now)

        def wanted(model: Model) -> object:
            return model.give(key, who, number) if up else model.spend(key, who, number)

        self.moved(key, self.act(deed, wanted, fate))

    @rule(who=who, fen=some_fen, fate=luck)
    def top_up(self, who: int, fen: int, fate: Luck) -> None:
        who = self.model.survivor(who)
        key, now = self.key("topup"), self.now

        def deed(connection: Connection) -> balance.TopUp:
            return balance.top_up(connection, self.law, self.ids[who], fen, key=key, by=TILL, now=now)

        done = self.act(deed, lambda model: model.top_up(key, who, fen), fate)
        if done:
            assert (done[0].principal, done[0].gift) == done[1]
            self.undoable.append((done[0].movement, key))

    @rule(who=who, which=part, fate=luck)
    def pay(self, who: int, which: str, fate: Luck) -> None:
        who = self.model.survivor(who)
        key, now = self.key("pay"), self.now
        fen = portion(self.model.people[who].money["principal"] + self.model.people[who].money["gift"], which)

        def deed(connection: Connection) -> balance.Paid:
            return balance.pay(connection, self.law, self.ids[who], fen, key=key, by=TILL, now=now)

        done = self.act(deed, lambda model: model.pay(key, who, fen), fate)
        if done:
            assert (done[0].principal, done[0].gift) == done[1]
            self.undoable.append((done[0].movement, key))

    @rule(who=who, which=part, fate=luck)
    def cash_out(self, who: int, which: str, fate: Luck) -> None:
        who = self.model.survivor(who)
        key, now = self.key("cash"), self.now
        fen = portion(self.model.people[who].money["principal"], which)

        def deed(connection: Connection) -> int:
            return balance.cash_out(connection, self.ids[who], fen, key=key, by=TILL, now=now).movement

        self.moved(key, self.act(deed, lambda model: model.cash_out(key, who, fen), fate))

    @rule(which=st.integers(0, 30), fate=luck)
    def undo(self, which: int, fate: Luck) -> None:
        if not self.undoable:
            return
        movement, key = self.undoable[which % len(self.undoable)]
        now = self.now

        def deed(connection: Connection) -> int:
            return points.undo(connection, self.law, movement, by=TILL, reason="撤销", now=now)

        self.act(deed, lambda model: model.undo(key), fate)

    def forget(self, *sides: int) -> None:
        """What these did before is not undone any more."""
        super().forget(*sides)
        self.undoable = [(m, key) for m, key in self.undoable if self.model.moves[key].who not in sides]

    def moved(self, key: str, done: tuple[Any, Any] | None) -> None:
        """Remember a movement that happened, to undo it some day."""
        if done:
            self.undoable.append((done[0], key))
