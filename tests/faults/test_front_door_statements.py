"""Whatever statement fails behind a chat message or a till's request, the deed is done exactly once in the end."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from members import auditing, ledger
from tests.faults.injection import Kind, Saboteur, sabotaged
from tests.support.acting import hire
from tests.support.shop import Shop, open_shop
from tests.support.till import Till

STEP, MOST = 3, 150
pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path, books_url: str) -> Iterator[tuple[Shop, Saboteur]]:
    """A shop with a cashier and a member, whose statements can be made to fail."""
    with open_shop(tmp_path, books_url, {"shop": {"stores": [{"id": "s1", "name": "一店"}]}}) as running:
        hire(running, "o-wang", store="s1")
        running.member("+8613800138000", openid="o-anna")
        saboteur = sabotaged(running.service.database)
        running.service.database.engine.dispose()
        yield running, saboteur
        with running.service.database.reading() as connection:
            assert auditing.breaches(connection, now=running.clock.now()) == []


def points(shop: Shop) -> int:
    """The member's points."""
    with shop.service.database.reading() as connection:
        return ledger.balances(connection, 1)["points"]


@pytest.mark.parametrize("kind", ["refused", "lost"])
def test_a_confirmation_is_carried_out_once(shop: tuple[Shop, Saboteur], kind: Kind) -> None:
    """Delivered three times, the statement failing at the first: either done or not, said so, and for good."""
    running, saboteur = shop
    wang, done = running.talker("o-wang"), 0
    for nth in range(1, MOST, STEP):
        assert "回复「确认」" in wang.say("加积分 尾号8000 1")
        body, query = wang.request(wang.text_xml("确认"))
        saboteur.arm(nth, kind)
        first = _sent(running, body, query)
        hit, saboteur.armed = saboteur.hit, False
        said = {reply for reply in (first, *(_sent(running, body, query) for _ in range(2))) if reply}
        assert len(said) == 1, said
        (reply,) = said
        assert ("已给" in reply) != ("出了点小问题" in reply), reply
        done += "已给" in reply
        assert points(running) == done, f"statement {nth}: {reply}"
        if not hit:
            assert done
            return
    pytest.fail("endless")


def _sent(shop: Shop, body: bytes, query: dict[str, str]) -> str:
    answer = shop.post(body, query)
    assert answer.status_code == 200
    return "" if answer.text == "success" else answer.text


@pytest.mark.parametrize("kind", ["refused", "lost"])
def test_a_sale_is_taken_once(shop: tuple[Shop, Saboteur], kind: Kind) -> None:
    """The till sends it again under the same key until it is told that it was taken."""
    running, saboteur = shop
    till = Till(running)
    for done, nth in enumerate(range(1, MOST, STEP), 1):
        body = {"order_no": f"A{nth}", "store": "s1", "buyer": {"kind": "phone", "value": "13800138000"}, "total": 1_00}
        saboteur.arm(nth, kind)
        answers: list[httpx.Response] = [till.post("/orders", body, again=f"key-{nth}")]
        hit, saboteur.armed = saboteur.hit, False
        while answers[-1].status_code >= 500:
            assert len(answers) < 3
            answers.append(till.post("/orders", body, again=f"key-{nth}"))
        assert answers[-1].status_code == 201 and points(running) == done, (nth, answers[-1].text)
        assert till.post("/orders", body, again=f"key-{nth}").json() == answers[-1].json()
        assert points(running) == done
        if not hit:
            return
    pytest.fail("endless")
