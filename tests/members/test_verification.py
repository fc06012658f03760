"""SMS codes: sent within limits, kept as a keyed hash, right once, for minutes, for five tries."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from members import verification
from members.db import Database
from members.errors import MemberError
from members.rules import BindingRules
from members.tables import Outbox, table
from members.tables import Verification as Row
from members.vault import Vault, generate_key

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
PHONE, OTHER = "+8613800138000", "+8613900139000"
codes, outbox = table(Row), table(Outbox)


@dataclass
class Desk:
    """Codes at a hand-moved time."""

    database: Database
    vault: Vault
    rules: BindingRules = field(default_factory=BindingRules)
    now: datetime = START

    def send(self, openid: str = "o-a", phone: str = PHONE, purpose: str = "bind") -> str:
        """Send a code; return '' or the refusal's code."""
        try:
            with self.database.transaction() as connection:
                verification.start(
                    connection, self.vault, self.rules, openid=openid, phone=phone, purpose=purpose, zone=SHANGHAI,
                    now=self.now,
                )  # fmt: skip
        except MemberError as refusal:
            return refusal.code
        return ""

    def sent(self, openid: str = "o-a") -> str:
        """Return the newest code on its way to an openid."""
        newest = select(outbox.c.sealed).where(outbox.c.openid == openid).order_by(outbox.c.id.desc()).limit(1)
        with self.database.reading() as connection:
            sealed = connection.execute(newest).scalar_one()
        return str(json.loads(self.vault.unseal_system("code", sealed))["code"])

    def check(self, code: str, openid: str = "o-a") -> verification.Checked:
        """Try a code."""
        with self.database.transaction() as connection:
            return verification.check(connection, self.vault, self.rules, openid=openid, code=code, now=self.now)

    def wrong(self, openid: str = "o-a") -> str:
        """Return a code that is not the one on its way."""
        return f"{(int(self.sent(openid)) + 1) % 10**6:06d}"

    def forward(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def rows(self, *columns: str) -> list[Any]:
        """Return columns of all codes, oldest first."""
        with self.database.reading() as connection:
            return [
                tuple(row) for row in connection.execute(select(*(codes.c[c] for c in columns)).order_by(codes.c.id))
            ]


@pytest.fixture
def desk(books_url: str) -> Iterator[Desk]:
    """Empty books with a vault."""
    database = Database(books_url)
    yield Desk(database, Vault({"k1": generate_key()}))
    database.dispose()


def test_the_right_code_is_right_once(desk: Desk) -> None:
    assert desk.send(purpose="change") == ""
    code = desk.sent()
    found = desk.check(code)
    assert (found.verdict, found.phone, found.purpose) == ("right", PHONE, "change")
    assert desk.check(code).verdict == "none"


def test_wrong_tries_are_counted_and_lock_openid_and_phone(desk: Desk) -> None:
    desk.send()
    wrong, right = desk.wrong(), desk.sent()
    assert [desk.check(wrong).left for _ in range(4)] == [4, 3, 2, 1]
    locked = desk.check(wrong)
    assert (locked.verdict, locked.minutes) == ("locked", 30)
    assert desk.check(right).verdict == "locked", "a right code after five wrong ones is worth nothing"
    desk.forward(minutes=2)
    assert desk.send("o-a", OTHER) == "code_locked", "the openid is locked for every phone"
    assert desk.send("o-b", PHONE) == "code_locked", "the phone is locked for every openid"
    assert desk.send("o-b", OTHER) == ""
    desk.forward(minutes=27, seconds=59)
    assert desk.send() == "code_locked"
    desk.forward(seconds=1)
    assert desk.send() == ""
    assert desk.check(desk.sent()).verdict == "right"


def test_guessing_a_strangers_phone_does_not_spoil_the_owners_code(desk: Desk) -> None:
    desk.send("o-owner")
    owner = desk.sent("o-owner")
    desk.forward(minutes=1)
    desk.send("o-thief")
    for _ in range(5):
        desk.check(desk.wrong("o-thief"), "o-thief")
    assert desk.check(owner, "o-owner").verdict == "right"


def test_a_code_expires(desk: Desk) -> None:
    desk.send()
    desk.forward(minutes=5, seconds=-1)
    assert desk.check(desk.wrong()).verdict == "wrong"
    desk.forward(seconds=1)
    assert desk.check(desk.sent()).verdict == "expired"


def test_a_newer_code_replaces_the_older(desk: Desk) -> None:
    desk.send()
    first = desk.sent()
    desk.forward(minutes=1)
    desk.send("o-a", OTHER)
    second = desk.sent()
    if first != second:
        assert desk.check(first).verdict == "wrong"
    assert desk.check(second).phone == OTHER


def test_two_openids_have_codes_of_their_own(desk: Desk) -> None:
    desk.send("o-a", PHONE)
    desk.send("o-b", OTHER)
    assert desk.check(desk.sent("o-b"), "o-b").phone == OTHER
    assert desk.check(desk.sent("o-a"), "o-a").phone == PHONE
    desk.forward(minutes=1)
    desk.send("o-a")
    assert desk.check(desk.sent("o-a"), "o-b").verdict == "none", "a code belongs to who asked for it"


def test_a_cancelled_code_is_worth_nothing(desk: Desk) -> None:
    desk.send()
    code = desk.sent()
    with desk.database.transaction() as connection:
        assert verification.cancel(connection, "o-a")
        assert not verification.cancel(connection, "o-a")
    assert desk.check(code).verdict == "none"


def test_cool_down_per_openid_and_per_phone(desk: Desk) -> None:
    assert desk.send() == ""
    desk.forward(seconds=59)
    assert desk.send("o-a", OTHER) == "code_wait"
    assert desk.send("o-b", PHONE) == "code_wait"
    desk.forward(seconds=1)
    assert desk.send() == ""


def test_a_right_code_ends_the_cool_down_of_the_openid(desk: Desk) -> None:
    desk.send()
    assert desk.check(desk.sent()).verdict == "right"
    assert desk.send("o-a", PHONE) == "code_wait", "the phone still rests"
    assert desk.send("o-a", OTHER) == ""


@pytest.mark.parametrize(
    ("limit", "who", "phones", "refusal"),
    [
        ("per_openid_day", lambda n: "o-a", lambda n: f"+86138{n:08d}", "code_limit"),
        ("per_phone_hour", lambda n: f"o-{n}", lambda n: PHONE, "code_limit"),
        ("per_phone_day", lambda n: f"o-{n}", lambda n: PHONE, "code_limit"),
        ("all_per_minute", lambda n: f"o-{n}", lambda n: f"+86138{n:08d}", "code_busy"),
        ("all_per_day", lambda n: f"o-{n}", lambda n: f"+86138{n:08d}", "code_busy"),
    ],
)
def test_each_limit_lets_so_many_through(desk: Desk, limit: str, who: Any, phones: Any, refusal: str) -> None:
    desk.rules = BindingRules.model_validate({"cool_down_seconds": 1, limit: 3})
    answers = []
    for number in range(5):
        answers.append(desk.send(who(number), phones(number)))
        desk.forward(seconds=1)
    assert answers == ["", "", "", refusal, refusal]
    spans = {"per_phone_hour": timedelta(hours=1), "all_per_minute": timedelta(minutes=1)}
    desk.now = START + spans.get(limit, timedelta(hours=14))
    assert desk.send(who(9), phones(9)) == "", "a new minute, hour or day of the shop begins afresh"


def test_the_day_is_the_shops(desk: Desk) -> None:
    desk.rules = BindingRules(cool_down_seconds=1, per_openid_day=1)
    desk.now = datetime(2026, 3, 2, 23, 59, tzinfo=SHANGHAI)
    assert desk.send() == ""
    desk.forward(seconds=30)
    assert desk.send() == "code_limit"
    desk.forward(seconds=30)
    assert desk.send() == ""


def test_what_was_refused_is_not_counted(desk: Desk) -> None:
    desk.rules = BindingRules(per_openid_day=2)
    desk.send()
    for _ in range(9):
        assert desk.send() == "code_wait"
    desk.forward(minutes=1)
    assert desk.send() == ""


def test_a_code_is_nowhere_in_clear_and_a_closed_one_is_emptied(desk: Desk) -> None:
    desk.send()
    code = desk.sent()
    ((salt, digest, sealed),) = desk.rows("salt", "code_hash", "sealed")
    assert len(digest) == 32
    assert len(salt) == 16
    assert code.encode() not in digest + salt + sealed
    assert PHONE[3:].encode() not in sealed
    desk.check(code)
    assert desk.rows("state", "salt", "code_hash", "sealed") == [("used", b"", b"", b"")]


def test_equal_codes_hash_differently(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("members.verification.secrets.randbelow", lambda _: 42)
    desk.send("o-a", PHONE)
    desk.send("o-b", OTHER)
    hashes = desk.rows("code_hash")
    assert desk.sent("o-a") == desk.sent("o-b") == "000042"
    assert len(set(hashes)) == 2


def test_expired_codes_are_forgotten_but_not_the_lock(desk: Desk) -> None:
    desk.send()
    for _ in range(5):
        desk.check(desk.wrong())
    with desk.database.transaction() as connection:
        assert verification.forget_before(connection, desk.now) == 0
        assert verification.forget_before(connection, desk.now + timedelta(minutes=6)) == 1
        assert connection.execute(select(func.count()).select_from(codes)).scalar_one() == 0
    desk.forward(minutes=6)
    assert desk.send() == "code_locked"
