"""A member's whole life on one page, at desktop and at phone width: from a stranger to somebody nobody remembers.

With MEMBERBOT_SHOTS=FOLDER every station leaves a picture there, to be looked at.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ROOT, Demo, running
from tests.browser.test_chat_page import DESKTOP, PHONE, be, opened, say

pytestmark = pytest.mark.browser
CASHIER, HOUR, DAY, WEEK = "oDemoCashier", 3600, 24 * 3600, 7 * 24 * 3600
NUMBERS = count(1)
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo with a reward within reach, and something for who brings a friend."""
    config = (ROOT / "config.yaml").read_text("utf-8")
    config = re.sub(r"reward: \{points: \d+", "reward: {points: 500", config)
    config = config.replace("invitee: {points: 50}, over: 50}", "invitee: {points: 50}}")
    with running(tmp_path_factory.mktemp("life"), config) as found:
        yield found


@dataclass
class Phone:
    """Somebody who holds the page in their hands; on a narrow one the people and the console are behind buttons."""

    page: Page
    narrow: bool

    def new(self) -> tuple[str, str]:
        """Make a stranger and be them; return openid and phone."""
        self._people()
        expect(self.page.get_by_test_id(f"person-{CASHIER}")).to_be_visible()
        before = self.page.locator("button.person").count()
        self.page.get_by_test_id("new-stranger").click()
        expect(self.page.locator("button.person")).to_have_count(before + 1)
        chosen = self.page.locator("button.person[aria-current=true]")
        expect(chosen).to_contain_text("还没有关注")
        expect(self.page.get_by_test_id("messages")).to_have_attribute("aria-busy", "false")
        return str(chosen.get_attribute("data-testid")).removeprefix("person-"), f"1390013{next(NUMBERS):04d}"

    def be(self, openid: str) -> None:
        """Go on as somebody else."""
        self._people()
        be(self.page, openid)
        self._keyboard()

    def _people(self) -> None:
        toggle = self.page.get_by_test_id("people-toggle")
        if self.narrow and toggle.get_attribute("aria-expanded") == "false":  # a drawer that is closing is still seen
            toggle.click()
            expect(self.page.get_by_test_id("new-stranger")).to_be_visible()

    def _keyboard(self) -> None:
        if self.page.get_by_test_id("keyboard-toggle").is_visible():
            self.page.get_by_test_id("keyboard-toggle").click()

    def say(self, text: str) -> str:
        """Type a line; return the answer."""
        self._keyboard()
        return say(self.page, text)

    def follow(self) -> None:
        """Follow the shop and read its welcome."""
        self.page.get_by_test_id("follow").click()
        expect(self.page.locator("[data-testid=message][data-dir=out]").last).to_contain_text("绑定")

    def join(self, phone: str) -> str:
        """Bind the phone; return what the bot says to the code."""
        return self.say(self.texted(f"绑定 {phone}"))

    def texted(self, words: str) -> str:
        """Say what a code is sent for; return the code of the SMS that comes."""
        sms = self.page.locator("[data-testid=message][data-via=sms]")
        before = sms.count()
        assert "验证码已发送" in self.say(words)
        expect(sms).to_have_count(before + 1, timeout=15_000)
        found = re.search(r"\d{6}", sms.last.inner_text())
        assert found is not None
        return found[0]

    def advance(self, seconds: int) -> None:
        """Turn the sandbox's clock."""
        if self.narrow:
            self.page.get_by_test_id("panel-toggle").click()
        self.page.get_by_test_id("tab-console").click()
        now = self.page.get_by_test_id("clock-now")
        before = now.inner_text()
        self.page.get_by_test_id(f"clock-advance-{seconds}").click()
        expect(now).not_to_have_text(before, timeout=60_000)
        expect(self.page.get_by_test_id(f"clock-advance-{seconds}")).to_be_enabled(timeout=60_000)
        if self.narrow:
            self.page.keyboard.press("Escape")

    def picture(self, name: str) -> None:
        """Leave a picture for whoever asked for one; nothing may stick out of the page."""
        assert self.page.evaluate(WIDE) == 0, name
        folder = os.environ.get("MEMBERBOT_SHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.wait_for_timeout(300)
            self.page.screenshot(path=Path(folder) / f"{'phone' if self.narrow else 'desktop'}-{name}.png")


@pytest.fixture(params=["desktop", "phone"])
def phone(request: pytest.FixtureRequest, browser: Browser, shop: Demo) -> Iterator[Phone]:
    """The page at either width; a script error fails the test."""
    narrow = request.param == "phone"
    for page in opened(browser, shop, PHONE if narrow else DESKTOP):
        yield Phone(page, narrow)


def truth(shop: Demo, number: str) -> dict[str, object]:
    """What the books say of a member."""
    found: dict[str, object] = json.loads(shop.command("member", "show", number, "--json"))
    return found


def serve(phone: Phone, words: str) -> str:
    """Be the cashier for one command."""
    phone.be(CASHIER)
    assert "回复「确认」" in phone.say(words)
    return phone.say("确认")


def test_from_stranger_to_forgotten(phone: Phone, shop: Demo) -> None:
    anna, number = phone.new()
    phone.follow()
    phone.picture("1-welcome")
    assert "绑定成功" in phone.join(number)
    assert "已记" in serve(phone, f"消费 {number} 450")

    phone.be(anna)
    redeems(phone, shop, number)
    tells_of_the_baby(phone)
    bert = invites_a_friend(phone, anna)
    opts_out_and_in(phone)
    exports(phone, number)
    leaves(phone, shop, anna, number)
    phone.be(bert)
    assert "50 积分" in phone.say("积分"), "the friend keeps what is theirs"
    assert shop.command("audit").strip() == "账目全部相符"


def redeems(phone: Phone, shop: Demo, number: str) -> None:
    """Not enough first; another purchase, and it is."""
    assert "再攒 50 积分" in phone.say("兑换")
    anna = phone.page.locator("button.person[aria-current=true]").get_attribute("data-testid")
    serve(phone, f"消费 {number} 100")
    phone.be(str(anna).removeprefix("person-"))
    assert "要用 500 积分兑换「免费例汤」吗" in phone.say("兑换")
    assert "兑换成功" in phone.say("确认")
    phone.picture("2-redeemed")
    assert truth(shop, number)["points"] == 50
    assert "免费例汤" in phone.say("优惠券")


def tells_of_the_baby(phone: Phone) -> None:
    """Asked for consent first, and shown without the date after."""
    assert "敏感个人信息" in phone.say("宝宝2025年6月1日出生")
    phone.picture("3-baby")
    assert "记下了" in phone.say("确认")
    said = phone.say("资料")
    assert "孩子 宝宝" in said and "2025" not in said
    phone.picture("4-profile")


def invites_a_friend(phone: Phone, anna: str) -> str:
    """The code goes to a friend, who binds with it; return the friend."""
    said = phone.say("邀请")
    phone.picture("5-invite")
    code = re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", said)
    assert code is not None, said
    bert, number = phone.new()
    phone.follow()
    assert "邀请记下了" in phone.say(f"邀请码 {code[0]}")
    assert "受邀礼已到账:50 积分" in phone.join(number)
    phone.picture("6-friend")
    phone.be(anna)
    assert "已来 1 位" in phone.say("邀请")
    return bert


def opts_out_and_in(phone: Phone) -> None:
    """Off and on again."""
    assert "已退订" in phone.say("退订")
    assert "有适合您的优惠" in phone.say("恢复")
    phone.picture("7-opted-in")


def exports(phone: Phone, number: str) -> None:
    """The link opens a page with their data, and a file."""
    link = re.search(r"http://127\.0\.0\.1:\d+/export/\S+", phone.say("导出我的数据"))
    assert link is not None
    browser = phone.page.context.browser
    assert browser is not None
    found = browser.new_page(viewport=phone.page.viewport_size)
    found.goto(link[0])
    text = found.inner_text("body")
    assert number in text and "免费例汤" in text and "积分" in text
    assert found.evaluate(WIDE) == 0
    Phone(found, phone.narrow).picture("8-export")
    found.close()


def leaves(phone: Phone, shop: Demo, anna: str, number: str) -> None:
    """The words, the code, the days in between, and then nothing is left."""
    phone.advance(HOUR)  # a phone gets a code a minute at most
    assert "确认注销" in phone.say("注销")
    phone.picture("9-erase")
    assert "已收到您的注销申请" in phone.say(phone.texted("确认注销"))
    assert "积分" in phone.say("积分"), "until the days are over all is as before"
    phone.advance(WEEK)
    phone.advance(DAY)
    phone.advance(DAY)
    phone.be(anna)
    assert "先绑定会员" in phone.say("积分")
    phone.picture("a-forgotten")
