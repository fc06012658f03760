"""What points become: a reward, a partner's units, a voucher at the end of each period."""

from hypothesis.stateful import rule
from sqlalchemy import Connection

from members import exchange
from members.coupons import Issued
from tests.properties.machine import Luck, luck, who
from tests.properties.model_value import local_day
from tests.properties.rules_coupons import CouponRules, once
from tests.properties.rules_value import ValueRules, part, portion
from tests.properties.world import TILL


class ExchangeRules(ValueRules, CouponRules):
    """Points that turn into something else."""

    @rule(who=who, fate=luck)
    def reward(self, who: int, fate: Luck) -> None:
        key, now, who = self.key("reward"), self.now, self.model.survivor(who)

        def deed(connection: Connection) -> Issued:
            chosen = self.law.loyalty.reward[0]
            return exchange.reward(connection, self.law, self.ids[who], chosen, key=key, by=TILL, now=now)

        done = self.act(deed, lambda model: model.reward(key, who), fate)
        if done:
            self.held[key] = done[0].id

    @rule(who=who, which=part, fate=luck)
    def partner(self, who: int, which: str, fate: Luck) -> None:
        key, now, who = self.key("partner"), self.now, self.model.survivor(who)
        number = portion(self.model.people[who].good(now), which)

        def deed(connection: Connection) -> exchange.Exchanged:
            return exchange.partner(connection, self.law, self.ids[who], "miles", number, key=key, by=TILL, now=now)

        done = self.act(deed, lambda model: model.partner(key, who, number), fate)
        if done:
            assert done[0].points == done[1]
            self.undoable.append((done[0].movement, key))

    @rule(fate=luck)
    def vouchers(self, fate: Luck) -> None:
        every, now = self.law.loyalty.points_to_voucher, self.now
        assert every is not None
        period = exchange.period_of(every.every, local_day(now)).isoformat()

        def deed(connection: Connection) -> list[exchange.Voucher]:
            return exchange.vouchers(connection, self.law, period, now)

        done = self.act(deed, lambda model: model.vouchers(period), once(fate))
        assert done
        made = {voucher.member: voucher for voucher in done[0]}
        assert {m: (v.points, v.fen) for m, v in made.items()} == {self.ids[one]: v for one, v in done[1].items()}
        for owner in done[1]:
            self.held[f"voucher:{period}:{owner}"] = made[self.ids[owner]].coupon.id
