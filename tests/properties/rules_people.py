"""Members that turn out to be one person, and part again; the card presented; checking in."""

from collections.abc import Mapping

from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import Connection, select

from members import gifts, ledger, merging
from members.tables import PointLot, table
from tests.properties.machine import Luck, Machine, luck, who
from tests.properties.model_value import Lot
from tests.properties.world import TILL

lots = table(PointLot)


class PeopleRules(Machine):
    """Merges, unmerges, presents, check-ins."""

    def opened(self) -> None:
        """No merge yet; `order_names` tells orders' ids from their names in the model."""
        super().opened()
        self.merge_ids: list[int] = []
        self.order_names: dict[int | None, str | None] = {None: None}

    @rule(one=who, other=who, fate=luck)
    def merge(self, one: int, other: int, fate: Luck) -> None:
        now, other = self.now, self.model.survivor(other)

        def deed(connection: Connection) -> merging.Merge:
            return merging.merge(
                connection, self.world.vault, self.law, self.ids[one], self.ids[other], by=TILL, reason="同一人",
                now=now,
            )  # fmt: skip

        done = self.act(deed, lambda model: model.merge(one, other), Luck(fate.nth, fate.kind))
        if done:
            self.merge_ids.append(done[0].id)
            self.may_fall |= {one, other}
            assert {k: v for k, v in done[0].moved.items() if v} == done[1].brought

    @rule(which=st.integers(0, 5), fate=luck)
    def unmerge(self, which: int, fate: Luck) -> None:
        if not self.merge_ids:
            return
        number, now = which % len(self.merge_ids), self.now
        merge = self.merge_ids[number]

        def deed(connection: Connection) -> merging.Unmerged:
            return merging.unmerge(connection, self.world.vault, self.law, merge, by=TILL, now=now)

        before = {side: self.model.people[side].all() for side in range(len(self.ids))}
        done = self.act(deed, lambda model: model.unmerge(number), Luck(fate.nth, fate.kind))
        if done:
            joined = done[1]
            ran_out = sum(self.model.ended.get(lot, 0) for lot in joined.lots)
            came_back = done[0].returned.get("points", 0) + done[0].returned.get("pending", 0)
            assert came_back <= joined.brought.get("points", 0) + joined.brought.get("pending", 0) - ran_out
            self.may_fall |= {joined.source, joined.target}
            self.look_at(joined.source, joined.target)
            self.check_parted(before, done[0].returned, done[0].missing, joined.brought, joined.source, joined.target)

    def check_parted(
        self, before: Mapping[int, Mapping[str, int]], returned: Mapping[str, int], missing: Mapping[str, int],
        brought: Mapping[str, int], source: int, target: int,
    ) -> None:  # fmt: skip
        """Nothing came into being or was lost; what came back is what was brought, less what is said to be missing."""
        after = {side: self.model.people[side].all() for side in (source, target)}
        for account in {*before[source], *before[target], *after[source], *after[target]}:
            was = before[source].get(account, 0) + before[target].get(account, 0)
            assert after[source].get(account, 0) + after[target].get(account, 0) == was, account
            assert after[source].get(account, 0) - before[source].get(account, 0) == returned.get(account, 0), account
        for group in (("points", "pending"), ("principal",), ("gift",), ("owed",), ("wallet:miles",)):
            came, back, gone = (sum(found.get(a, 0) for a in group) for found in (brought, returned, missing))
            assert abs(back) <= abs(came) and came == back + gone, group

    def look_at(self, *sides: int) -> None:
        """Take over from the books what these own: of what an unmerge returns the rules only say how much."""
        with self.database.reading() as connection:
            for side in sides:
                person = self.model.people[side]
                person.lots = []
                mine = select(lots).where(lots.c.member_id == self.ids[side], lots.c.remaining > 0).order_by(lots.c.id)
                for row in connection.execute(mine):
                    self.model.lots_made += 1
                    order = self.order_names[row.order_id]
                    number = self.model.lots_made
                    person.lots.append(Lot(number, row.remaining, row.expires_at, row.matures_at, order))
                owned = ledger.balances(connection, self.ids[side])
                person.money = {k: v for k, v in owned.items() if k not in ("points", "pending")}
        self.forget(*sides)

    def forget(self, *sides: int) -> None:
        """Their old movements are not undone any more: the lots they were about are others now."""

    @rule(who=who, fate=luck)
    def present(self, who: int, fate: Luck) -> None:
        who, now = self.model.survivor(who), self.now

        def deed(connection: Connection) -> int:
            found = gifts.on_present(connection, self.law, self.ids[who], by=TILL, now=now)
            return sum(gift.points for gift in found)

        done = self.act(deed, lambda model: model.present(who), Luck(fate.nth, fate.kind))
        assert done and done[0] == done[1]

    @rule(who=who, fate=luck)
    def check_in(self, who: int, fate: Luck) -> None:
        who, now = self.model.survivor(who), self.now

        def deed(connection: Connection) -> tuple[int, int]:
            found = gifts.check_in(connection, self.law, self.ids[who], by=TILL, now=now)
            return found.points, found.streak

        done = self.act(deed, lambda model: model.check_in(who), fate)
        assert done and done[0] == done[1]
