"""The main job in a browser: a stranger becomes a member, a cashier serves, campaigns arrive, 退订 ends them."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import Demo

pytestmark = pytest.mark.browser
DESKTOP, PHONE = ViewportSize(width=1280, height=860), ViewportSize(width=390, height=844)
CODE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b")
WEEK = 7 * 24 * 3600
STRANGER = "oDemoStranger01"


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """The chat page at desktop width; any script error fails the test."""
    yield from opened(browser, demo, DESKTOP)


@pytest.fixture
def phone(browser: Browser, demo: Demo) -> Iterator[Page]:
    """The chat page at a phone's width."""
    yield from opened(browser, demo, PHONE)


def opened(browser: Browser, demo: Demo, size: ViewportSize) -> Iterator[Page]:
    page = browser.new_page(viewport=size)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{demo.address}/sandbox/")
    yield page
    page.close()
    assert errors == []


def be(page: Page, openid: str) -> None:
    """Choose a person and wait until their history is there: what is counted before it came is counted wrong."""
    page.get_by_test_id(f"person-{openid}").click()
    expect(page.get_by_test_id(f"person-{openid}")).to_have_attribute("aria-current", "true")
    expect(page.get_by_test_id("messages")).to_have_attribute("aria-busy", "false")
    expect(page.get_by_test_id("acting-as")).not_to_be_empty()


def serve(page: Page, text: str) -> str:
    """Type a command that moves value and confirm what it is echoed as."""
    assert "回复「确认」" in say(page, text)
    return say(page, "确认")


def replies(page: Page) -> int:
    return page.locator("[data-testid=message][data-dir=out][data-via=passive]").count()


def say(page: Page, text: str) -> str:
    """Type a line and return the passive reply to it."""
    before = replies(page)
    page.get_by_test_id("composer").fill(text)
    page.get_by_test_id("composer").press("Enter")
    found = page.locator("[data-testid=message][data-dir=out][data-via=passive]")
    expect(found).to_have_count(before + 1, timeout=15_000)
    return found.last.inner_text()


def test_the_main_job_in_one_session(page: Page, demo: Demo) -> None:
    person = page.get_by_test_id(f"person-{STRANGER}")
    number = re.search(r"1\d{10}", person.inner_text())
    assert number is not None
    be(page, STRANGER)
    page.get_by_test_id("follow").click()
    expect(page.locator("[data-testid=message][data-dir=out]").last).to_contain_text("绑定手机号,就能在这里查积分")

    assert "验证码已发送" in say(page, f"绑定 {number[0]}")
    sms = page.locator("[data-testid=message][data-via=sms]").last
    expect(sms).to_contain_text("验证码")
    code = re.search(r"\d{6}", sms.inner_text())
    assert code is not None
    assert "绑定成功" in say(page, code[0])

    truth = json.loads(demo.command("member", "show", number[0], "--json"))
    assert f"{truth['points']:,} 积分" in say(page, "积分")
    principal = f"¥{truth['principal'] // 100:,}.{truth['principal'] % 100:02d}"
    assert f"本金 {principal}" in say(page, "余额")
    assert f"{len(truth['coupons'])} 张" in say(page, "优惠券")
    assert "合计" in say(page, "上次")

    be(page, "oDemoCashier")
    assert "回复「确认」" in say(page, f"发券 {number[0]} 满100减20")
    issued = say(page, "确认")
    coupon = CODE.search(issued)
    assert coupon is not None, issued
    be(page, STRANGER)
    expect(page.locator("[data-testid=message][data-via=service]").last).to_contain_text(coupon[0])
    assert coupon[0] in say(page, "优惠券")
    be(page, "oDemoCashier")
    assert "回复「确认」" in say(page, f"核销 {coupon[0]}")
    assert "已核销" in say(page, "确认")
    assert "用过了" in say(page, f"核销 {coupon[0]}")

    be(page, STRANGER)
    page.get_by_test_id("tab-console").click()
    page.get_by_test_id(f"clock-advance-{WEEK}").click()
    page.get_by_test_id("tab-log").click()
    mine = page.locator(f"[data-testid=log-row][data-openid={STRANGER}]")
    expect(mine.filter(has_text="每周专属").first).to_be_visible(timeout=60_000)
    say(page, "积分")
    received = page.locator("[data-testid=message][data-dir=out]")
    expect(received.filter(has_text="九折券").first).to_be_visible()
    expect(received.filter(has_text="差不多该补货啦").first).to_be_visible()
    assert "因为" in say(page, "为什么")
    expect(mine.filter(has_text="每周专属").first).to_contain_text(re.compile("买过.*客服消息.*已发送"))
    reminded = mine.filter(has_text="复购提醒").last  # Monday's; later ones may come when the window is closed
    expect(reminded).to_contain_text(re.compile("天一次.*客服消息.*已发送"))

    assert "已退订" in say(page, "退订")
    before = page.locator("[data-testid=message][data-dir=out]").count()
    page.get_by_test_id("tab-console").click()
    page.get_by_test_id(f"clock-advance-{WEEK}").click()
    expect(page.get_by_test_id("toast").or_(page.get_by_test_id("clock-now")).first).to_be_visible()
    page.wait_for_timeout(3000)
    assert page.locator("[data-testid=message][data-dir=out]").count() == before
    quiet = say(page, "积分")
    assert "九折券" not in quiet and "补货" not in quiet
    assert demo.command("audit").strip() == "账目全部相符"


def test_the_page_fits_a_phone(phone: Page) -> None:
    phone.get_by_test_id("people-toggle").click()
    be(phone, "oDemoMember01")
    if phone.get_by_test_id("keyboard-toggle").is_visible():
        phone.get_by_test_id("keyboard-toggle").click()
    assert "积分" in say(phone, "积分")
    wide = phone.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0


def test_the_menu_reaches_the_same_answers(page: Page) -> None:
    be(page, "oDemoMember02")
    page.get_by_test_id("menu-我的").click()
    before = replies(page)
    page.get_by_test_id("menu-points").click()
    found = page.locator("[data-testid=message][data-dir=out][data-via=passive]")
    expect(found).to_have_count(before + 1)
    assert found.last.inner_text().splitlines()[0] == say(page, "积分").splitlines()[0]


def told(page: Page, words: str) -> None:
    """The member sees a message that holds these words."""
    found = page.locator("[data-testid=message][data-dir=out]").filter(has_text=words)
    expect(found.last).to_be_visible(timeout=15_000)


def test_the_counter_from_both_sides(page: Page, demo: Demo) -> None:
    member = "oDemoMember03"
    phone = re.search(r"1\d{10}", page.get_by_test_id(f"person-{member}").inner_text())
    assert phone is not None
    be(page, member)
    before = int(re.findall(r"现有 ([\d,]+) 积分", say(page, "积分"))[0].replace(",", ""))
    be(page, "oDemoCashier")
    rung_up = serve(page, f"消费 {phone[0]} 128.5")
    earned = int(re.findall(r"得 ([\d,]+) 积分", rung_up)[0])
    assert earned >= 128
    coupon = CODE.search(serve(page, f"发券 5元券 {phone[0]}"))
    assert coupon is not None
    assert "已核销" in serve(page, f"核销 {coupon[0]}")
    assert "¥500.00" in serve(page, f"充值 {phone[0]} 500")
    assert "已撤销" in serve(page, "撤销")
    assert "现在没有" in say(page, "确认")
    today = say(page, "今日")
    assert "消费 1 笔 ¥128.50" in today and "撤销 1 笔" in today and "核销 1 张" in today

    be(page, member)
    say(page, "余额")  # what the window of five messages had no room for comes with the next reply
    for words in ("消费 ¥128.50", coupon[0], "已在", "充值 ¥500.00"):
        told(page, words)
    assert f"现有 {before + earned:,} 积分" in say(page, "积分")
    told(page, "撤销了刚才的操作")  # at the latest with the next answer: five messages a window are all that is allowed
    assert f"+{earned} 消费 ¥128.50" in say(page, "积分明细")
    kept = say(page, "余额明细")
    assert "本金+¥500.00" in kept and "本金-¥500.00" in kept
    for words in ("消费 13800138000 1", "撤销", "今日"):
        assert "确认" not in say(page, words)
    assert demo.command("audit").strip() == "账目全部相符"


def test_the_counter_fits_a_phone(phone: Page) -> None:
    phone.get_by_test_id("people-toggle").click()
    be(phone, "oDemoCashier")
    if phone.get_by_test_id("keyboard-toggle").is_visible():
        phone.get_by_test_id("keyboard-toggle").click()
    assert "发券" in say(phone, "帮助")
    assert "今天" in say(phone, "今日")
    wide = phone.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
