"""What every rule stands on: fresh books, a clock, deeds that may fail at any statement and come twice, and the checks.

A deed is done on the books and on the model. Where the model refuses, the books must refuse with the same code; where
a failure was injected, the deed is done again under the same key, as a till or the platform would.
"""

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from members import auditing, ledger, replay
from members.db import Database
from members.errors import MemberError
from members.tables import Account, Entry, table
from members.vault import generate_key
from tests.faults.injection import Kind, failing, sabotaged
from tests.properties.model import Model, Refused
from tests.properties.model_value import Policy
from tests.properties.world import LOYALTY, START, add_member, open_world, rules

PEOPLE = 4
MASTER = generate_key()
Answer = TypeVar("Answer")
Wanted = TypeVar("Wanted")


@dataclass(frozen=True)
class Luck:
    """What happens to a deed on its way: the statement that fails, and whether it arrives once more."""

    nth: int = 0
    kind: Kind = "refused"
    twice: bool = False


FAIR = st.just(Luck())
NTH = st.one_of(st.integers(1, 15), st.integers(1, 90))
BAD = st.builds(Luck, NTH, st.sampled_from(["refused", "lost"]), st.booleans())
luck = st.one_of(FAIR, FAIR, st.just(Luck(twice=True)), BAD)
who = st.integers(0, PEOPLE - 1)


class Machine(RuleBasedStateMachine):
    """Books and model side by side; rules come from the classes mixed in."""

    fresh: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.place = self.fresh()
        self.database = Database(self.place.__enter__())
        self.saboteur = sabotaged(self.database)
        self.law = rules()
        self.world = open_world(self.database, self.law, MASTER)
        self.now = START
        self.model = Model(self.now)
        self.ids: list[int] = []
        self.serial = 0
        self.may_fall: set[int] = set()
        self.answer: Any = None
        for number in range(PEOPLE):
            self.ids.append(add_member(self.world, number, self.now))
            self.model.newcomer()
        self.opened()

    @initialize(
        refunds=st.sampled_from(["only_pending", "down_to_zero", "may_go_negative"]), days=st.sampled_from([0, 5]),
        gift_pays=st.sampled_from(["first", "last", "proportional"]), at_most=st.sampled_from([10_000, 5_000]),
    )  # fmt: skip
    def choose_rules(self, refunds: str, days: int, gift_pays: str, at_most: int) -> None:
        """The marketer decides how the shop is run."""
        earn = LOYALTY["earn"] | {"refunds": refunds, "pending_days": days}
        balance = LOYALTY["balance"] | {"gift_pays": gift_pays, "gift_at_most": at_most / 10_000}
        self.law = rules({"earn": earn, "balance": balance})
        self.model.policy = Policy(refunds=refunds, pending_days=days, gift_pays=gift_pays, gift_at_most=at_most)

    def opened(self) -> None:
        """Called once the books stand; mixed-in rules add what they need."""

    def key(self, word: str) -> str:
        """A key no deed had before."""
        self.serial += 1
        return f"{word}:{self.serial}"

    def forward(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span
        self.model.now = self.now

    def act(
        self, deed: Callable[[Connection], Answer], expected: Callable[[Any], Wanted], fate: Luck = Luck()
    ) -> tuple[Answer, Wanted] | None:  # fmt: skip
        """Do a deed on the books and on the model; return both answers, None when both refuse."""
        refused, self.answer = "", None
        try:
            answer = self.answer = self._through(deed, fate)
            if fate.twice:
                self.same_again(answer, self._through(deed, Luck()))
        except MemberError as refusal:
            refused = refusal.code
        trial = copy.deepcopy(self.model)
        try:
            wanted = expected(trial)
        except Refused as refusal:
            assert refused == str(refusal), f"the books say {refused or self.answer}, the model {refusal}"
            return None
        assert not refused, f"the books say {refused}, the model {wanted}"
        self.model = trial
        return answer, wanted

    def same_again(self, first: Any, again: Any) -> None:
        """A repetition's answer names the same thing."""
        for name in ("id", "movement", "code", "order"):
            assert getattr(first, name, None) == getattr(again, name, None)
        if isinstance(first, int):
            assert first == again

    def _through(self, deed: Callable[[Connection], Answer], fate: Luck) -> Answer:
        if fate.nth:
            try:
                with failing(self.database, self.saboteur, fate.nth, fate.kind) as connection:
                    return deed(connection)
            except DBAPIError:
                assert self.saboteur.hit
            assert self.saboteur.hit
        with self.database.transaction() as connection:
            return deed(connection)

    @invariant()
    def check_balances(self) -> None:
        """Everybody owns what the model says, nothing is negative, and all entries sum up to zero."""
        with self.database.reading() as connection:
            entries, accounts = table(Entry), table(Account)
            assert (connection.execute(select(func.sum(entries.c.amount))).scalar_one() or 0) == 0
            for member, person in zip(self.ids, self.model.people, strict=True):
                found = ledger.balances(connection, member)
                assert {k: v for k, v in found.items() if v} == {k: v for k, v in person.all().items() if v}
                assert ledger.good_points(connection, member, self.now)[0] == person.good(self.now)
            wrong = accounts.c.member_id.is_not(None) & (
                ((accounts.c.kind != "owed") & (accounts.c.balance < 0))
                | ((accounts.c.kind == "owed") & (accounts.c.balance > 0))
            )
            assert connection.execute(select(accounts).where(wrong)).all() == []

    @rule()
    def check_all(self) -> None:
        """Every invariant of the audit holds, and replay from zero gives the same bytes."""
        with self.database.reading() as connection:
            assert auditing.breaches(connection, now=self.now) == []
            assert replay.rebuild(connection) == replay.stored(connection)

    def teardown(self) -> None:
        """The full check, unless something was wrong already; then the books are thrown away."""
        try:
            if sys.exc_info()[0] is None:
                self.check_all()
        finally:
            self.database.dispose()
            self.place.__exit__(None, None, None)
