"""Sales at the till, their refunds and exchanges, the tiers they lead to."""

from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from sqlalchemy import Connection, select

from members import adoption, orders, refunds, tiers
from members.orders import Buyer, NewLine, NewOrder, Taken
from members.refunds import NewRefund, Refunded
from members.tables import Coupon, Member, Order, table
from tests.properties.machine import Luck, luck, who
from tests.properties.model import Model, Refused
from tests.properties.model_sales import Line, Sale
from tests.properties.rules_coupons import CouponRules, once, which
from tests.properties.rules_people import PeopleRules
from tests.properties.world import APP, TILL, phone_of

members, found_orders, copies = table(Member), table(Order), table(Coupon)
TIERS = {"普卡": 0, "银卡": 300_00, "金卡": 900_00}
GRACE_DAYS = 3
prices = st.one_of(st.integers(1, 400_00), st.sampled_from([50_00, 80_00, 99_99, 100_00, 250_00]))
a_line = st.builds(lambda kind, fen: Line(f"sku-{kind}", kind, fen), st.sampled_from(["", "fruit", "tobacco"]), prices)
some_lines = st.lists(a_line, min_size=1, max_size=2, unique_by=lambda line: line.sku).map(tuple)
BUYERS = st.one_of(who, who, who, st.sampled_from([None, 901, 902]))
STRANGERS = (901, 902)
PAY = ("none", "none", "some", "all", "too much")


class SaleRules(PeopleRules, CouponRules):
    """What a till does."""

    def opened(self) -> None:
        """No sale yet."""
        super().opened()
        self.tier: dict[int, tuple[str, date | None]] = {}
        self.told: dict[str, NewOrder] = {}

    def new_order(
        self, name: str, buyer: int | None, lines: tuple[Line, ...], pay: int, copy: str | None, discount: int
    ) -> NewOrder:  # fmt: skip
        """A sale as a till tells of it."""
        named = [NewLine(line.sku, line.sku, 1, line.amount, category=line.category) for line in lines]
        by = None if buyer is None else Buyer("phone", phone_of(buyer))
        total = sum(line.amount for line in lines) - discount
        coupons = [] if copy is None else [self.code_of(copy)]
        self.told[name] = NewOrder(name, "s1", "s1", by, self.now, named, total, discount, pay, coupons, "till")
        return self.told[name]

    def drawn(
        self, who: int | None, lines: tuple[Line, ...], pay: str, use: bool, number: int
    ) -> tuple[int, str | None, int]:
        """What of the balance pays, which copy is used, and what that takes off."""
        copy, discount = (self.pick(number) if use else None), 0
        if copy is not None:
            try:
                discount = self.model.discount_of(copy, lines)
            except Refused:
                discount = 1
        total = sum(line.amount for line in lines) - discount
        money = self.model.people[who].money if who is not None else {"principal": 0, "gift": 0}
        have = min(money["principal"] + money["gift"], total)
        return {"none": 0, "some": have // 2, "all": have, "too much": total + 1}[pay], copy, discount

    @rule(who=BUYERS, lines=some_lines, pay=st.sampled_from(PAY), use=st.booleans(), number=which, fate=luck)
    def sell(self, who: int | None, lines: tuple[Line, ...], pay: str, use: bool, number: int, fate: Luck) -> None:
        name, buyer = self.key("sale"), who
        owner = None if who is None or who in STRANGERS else self.model.survivor(who)
        fen, copy, discount = self.drawn(owner, lines, pay, use, number)
        order, now = self.new_order(name, buyer, lines, fen, copy, discount), self.now

        def deed(connection: Connection) -> Taken:
            return orders.take(connection, self.world.vault, self.law, order, app=APP, by=TILL, now=now)

        mark = buyer if buyer in STRANGERS else None
        done = self.act(deed, self.selling(name, owner, lines, fen, copy, discount, mark), fate)
        if done:
            self.sold(*done)

    @initialize(begun=st.lists(st.tuples(who, some_lines), max_size=5))
    def begin(self, begun: list[tuple[int, tuple[Line, ...]]]) -> None:
        """Some have bought already."""
        for buyer, lines in begun:
            self.tier.setdefault(buyer, ("普卡", None))
            self.sell(buyer, lines, "none", False, 0, Luck())
            self.check_tiers()

    def selling(
        self, name: str, owner: int | None, lines: tuple[Line, ...], fen: int, copy: str | None, discount: int,
        mark: int | None = None,
    ) -> Any:  # fmt: skip
        """The same sale for the model."""

        def wanted(model: Model) -> Sale:
            tier = "普卡" if owner is None else self.tier[owner][0]
            return model.sell(name, owner, lines, pay=fen, copy=copy, discount=discount, tier=tier, mark=mark)

        return wanted

    def sold(self, taken: Taken, sale: Sale) -> None:
        """Compare what a sale brought; remember its number and the coupon it gave."""
        self.order_names[taken.order] = sale.name
        assert (taken.points + taken.pending, taken.principal, taken.gift) == (sale.earned, sale.principal, sale.gift)
        given = [grant for grant in sale.grants if grant.copy is not None]
        done = [gift for gift in taken.gifts if gift.coupon_code]
        assert len(given) == len(done) and len(taken.gifts) == len(sale.grants)
        for grant, gift in zip(given, done, strict=True):
            assert grant.copy is not None
            with self.database.reading() as connection:
                self.hold(grant.copy, connection.execute(select(copies).where(copies.c.code == gift.coupon_code)).one())

    @rule(who=who, mark=st.sampled_from(STRANGERS), fate=luck)
    def adopt(self, who: int, mark: int, fate: Luck) -> None:
        """Somebody proves that the stranger's phone is theirs."""
        who, now = self.model.survivor(who), self.now
        marks, tier = [self.world.vault.blind_index("phone", phone_of(mark))], self.tier[who][0]

        def deed(connection: Connection) -> int:
            return adoption.adopt(
                connection, self.world.vault, self.law, self.ids[who], marks, app=APP, by=TILL, now=now
            )

        done = self.act(deed, lambda model: model.adopt(who, mark, tier), once(fate))
        assert done and done[0] >= done[1]

    @rule(number=which, more=st.sampled_from([0, 0, 1]), fate=luck)
    def sell_again(self, number: int, more: int, fate: Luck) -> None:
        """A till sends an order again, or another one under its number."""
        sale = self.some_sale(number)
        if sale is None:
            return
        before, now, order_no = self.told[sale.name], self.now, sale.name
        again = replace(before, lines=(), total=before.total + more)

        def deed(connection: Connection) -> bool:
            told = again if more else before
            return orders.take(connection, self.world.vault, self.law, told, app=APP, by=TILL, now=now).created

        def wanted(model: Model) -> Sale:
            if more:
                raise Refused("order_conflict")
            return model.sales[order_no]

        done = self.act(deed, wanted, once(fate))
        assert more or (done and not done[0])

    def some_sale(self, number: int) -> Sale | None:
        """One of the sales, newer ones sooner."""
        sales = list(self.model.sales.values())
        return sales[-1 - number % min(len(sales), 4 if number % 3 else len(sales))] if sales else None

    @rule(
        number=which, part=st.sampled_from(["one", "third", "half", "all", "rest", "more"]), early=st.booleans(),
        again=st.booleans(), fate=luck,
    )  # fmt: skip
    def refund(self, number: int, part: str, early: bool, again: bool, fate: Luck) -> None:
        """Some of a sale, all that is left, too much; under an old number, or before the sale has come."""
        sale = self.some_sale(number)
        if sale is None or not sale.total:
            return
        left = sale.total - sale.refunded
        amounts = {"one": 1, "third": left // 3, "half": sale.total // 2, "all": left, "rest": None, "more": left + 1}
        amount, before = amounts[part], [one for one in sale.refunds if one != "void"]
        refund_no = before[0] if again and before else self.key("back")
        name = "not-yet" if early and number % 5 == 0 else sale.name
        wanted, now = NewRefund("s1", name, refund_no, amount, (), self.now, "test"), self.now

        def deed(connection: Connection) -> Refunded:
            return refunds.refund(connection, self.world.vault, self.law, wanted, by=TILL, now=now)

        self.falls(sale)
        self.given_back(self.act(deed, lambda model: model.refund(name, refund_no, amount), fate))

    @rule(number=which, fate=luck)
    def void_sale(self, number: int, fate: Luck) -> None:
        sale = self.some_sale(number)
        if sale is None or not sale.total:
            return
        name, now = sale.name, self.now
        order = next(one for one, known in self.order_names.items() if known == name)
        assert order is not None

        def deed(connection: Connection) -> Refunded:
            return orders.void(connection, self.world.vault, self.law, order, by=TILL, now=now)

        self.falls(sale)
        self.given_back(self.act(deed, lambda model: model.void_sale(name), fate))

    @rule(number=which, lines=some_lines, fate=luck)
    def exchange(self, number: int, lines: tuple[Line, ...], fate: Luck) -> None:
        """Goods come back and others are bought, both or neither."""
        sale = self.some_sale(number)
        if sale is None or not sale.total:
            return
        refund_no, name, old = self.key("back"), self.key("sale"), sale.name
        owner = self.model.owner(sale)
        order, now = self.new_order(name, sale.who, lines, 0, None, 0), self.now
        back = NewRefund("s1", old, refund_no, None, (), now, "test")

        def deed(connection: Connection) -> refunds.Exchanged:
            return refunds.exchange(connection, self.world.vault, self.law, back, order, app=APP, by=TILL, now=now)

        def wanted(model: Model) -> tuple[dict[str, int], Sale]:
            answer = model.refund(old, refund_no, None)
            fallen = None if self.answer is None else self.answer.refunded.tier
            if fallen is not None and owner is not None:
                self.tier[owner] = (fallen.after, None)
            return answer, self.selling(name, owner, lines, 0, None, 0)(model)

        self.falls(sale)
        done = self.act(deed, wanted, fate)
        if done:
            self.given_back((done[0].refunded, done[1][0]))
            self.sold(done[0].taken, done[1][1])

    def given_back(self, done: tuple[Refunded, dict[str, int]] | None) -> None:
        """Compare what a refund moved."""
        if done:
            back, wanted = done
            assert {
                "amount": back.amount, "principal": back.principal_back, "gift": back.gift_back,
                "taken": back.points_taken,
            } == wanted  # fmt: skip

    def falls(self, sale: Sale) -> None:
        """Who gets money back may lose a tier at once."""
        if sale.who is not None:
            self.may_fall.add(self.model.survivor(sale.who))

    @rule(fate=luck)
    def review_tiers(self, fate: Luck) -> None:
        now = self.now

        def deed(connection: Connection) -> int:
            return len(tiers.review_all(connection, self.law, now).changes)

        self.act(deed, lambda model: None, once(fate))

    @invariant()
    def check_tiers(self) -> None:
        """A tier never falls before its time, unless money went back or two members became one or parted."""
        today = self.now.astimezone(self.law.shop.zone).date()
        ranks = list(TIERS)
        with self.database.reading() as connection:
            for who, member in enumerate(self.ids):
                row = connection.execute(select(members).where(members.c.id == member)).one()
                before, until = self.tier.get(who, (row.tier, row.tier_until))
                if ranks.index(row.tier) < ranks.index(before) and who not in self.may_fall:
                    assert until is not None and (today - until).days > GRACE_DAYS
                self.tier[who] = (row.tier, row.tier_until)
        self.may_fall.clear()

    @invariant()
    def check_sales(self) -> None:
        """Each sale is with whom the model has it, and so much of it went back."""
        with self.database.reading() as connection:
            for row in connection.execute(select(found_orders)):
                sale = self.model.sales[row.order_no]
                owner = self.model.owner(sale)
                seen = (row.total, row.refunded, row.paid_principal, row.paid_gift, row.member_id)
                assert seen == (
                    sale.total, sale.refunded, sale.principal, sale.gift, None if owner is None else self.ids[owner]
                )  # fmt: skip
