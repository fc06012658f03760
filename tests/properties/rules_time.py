"""Time: it jumps, over midnights and over the last of February, and the night's jobs run when they get to it."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import Connection

from members import coupons, ledger, points
from tests.properties.machine import Luck, Machine, luck
from tests.properties.model_value import local_day, midnight_after

JUMPS = st.sampled_from(
    [timedelta(seconds=1), timedelta(minutes=3), timedelta(hours=5), timedelta(days=1), timedelta(days=6),
     timedelta(days=17), timedelta(days=31)]
)  # fmt: skip


class TimeRules(Machine):
    """The clock and what the night does."""

    @rule(span=JUMPS)
    def wait(self, span: timedelta) -> None:
        self.forward(span)

    @rule(off=st.sampled_from([-1, 0, 1]))
    def midnight(self, off: int) -> None:
        """Just before, at, or just after the shop's next midnight."""
        moment = midnight_after(local_day(self.now)) + timedelta(microseconds=off)
        if moment > self.now:
            self.forward(moment - self.now)

    @rule(fate=luck)
    def expire_points(self, fate: Luck) -> None:
        now = self.now

        def deed(connection: Connection) -> dict[int, int]:
            return dict(ledger.expire_points(connection, now))

        self.night(self.act(deed, lambda model: model.expire(), self.once(fate)))

    @rule(fate=luck)
    def mature_points(self, fate: Luck) -> None:
        now = self.now

        def deed(connection: Connection) -> dict[int, int]:
            return dict(points.mature(connection, self.law, now))

        self.night(self.act(deed, lambda model: model.mature(), self.once(fate)))

    @rule(fate=luck)
    def expire_coupons(self, fate: Luck) -> None:
        now = self.now
        done = self.act(
            lambda connection: coupons.expire_due(connection, now), lambda model: model.expire_coupons(),
            self.once(fate),
        )  # fmt: skip
        assert done and done[0] == done[1]

    @rule(span=JUMPS, fate=luck)
    def nights(self, span: timedelta, fate: Luck) -> None:
        """Time passes and every job of the night is done."""
        self.wait(span)
        self.mature_points(fate)
        self.expire_points(fate)
        self.expire_coupons(fate)

    def once(self, fate: Luck) -> Luck:
        """A job's answer is not given twice: what is done is done."""
        return Luck(fate.nth, fate.kind)

    def night(self, done: tuple[dict[int, int], dict[int, int]] | None) -> None:
        """The job told of everybody whom the model names."""
        assert done
        assert done[0] == {self.ids[who]: number for who, number in done[1].items()}
