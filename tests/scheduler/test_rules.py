"""What config.yaml may say about campaigns, and what it is told when it may not."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from pydantic import ValidationError

from scheduler.legality import illegal_channels
from scheduler.rules import Campaign, PersonalOffer, PolicyRules, QuietHours, Repurchase
from tests.scheduler.small_shop import OFFER, REMINDER, push_rules

RULES = push_rules()


def problems(**campaigns: Campaign) -> list[tuple[tuple[str | int, ...], str | None]]:
    """The path and the unknown name of each problem."""
    known = RULES.base.coupons
    found = illegal_channels(campaigns, segments=RULES.segments, templates=known, subscriptions=RULES.subscriptions)
    return [(path, name) for path, _, name in found]


def offer(**changes: Any) -> PersonalOffer:
    """The weekly offer with parts replaced."""
    return PersonalOffer.model_validate({**OFFER, **changes})


def reminder(**changes: Any) -> Repurchase:
    """The reminder with parts replaced."""
    return Repurchase.model_validate({**REMINDER, **changes})


def test_the_campaigns_of_the_small_shop_are_legal() -> None:
    assert problems(**RULES.campaigns) == []


@pytest.mark.parametrize(
    ("campaign", "illegal"),
    [
        (offer(channels=["template", "service"]), [0]),
        (offer(channels=["service", "subscription", "next_reply"], subscription="补货提醒"), [1]),
        (offer(channels=["service", "mass"]), [1]),
        (offer(channels=["sms", "staff_task"]), [1]),
        (reminder(channels=["template"]), [0]),
        (reminder(channels=["service", "sms", "subscription", "next_reply"]), []),
    ],
)
def test_channels_the_platform_does_not_allow(campaign: Campaign, illegal: list[int]) -> None:
    assert problems(活动=campaign) == [(("活动", "channels", index), None) for index in illegal]


def test_names_that_nobody_knows_are_handed_to_did_you_mean() -> None:
    assert problems(活动=offer(to="金咔")) == [(("活动", "to"), "金咔")]
    assert problems(活动=offer(offer={"template": "of-5"})) == [(("活动", "offer", "template"), "of-5")]
    assert problems(活动=reminder(subscription="补货")) == [(("活动", "subscription"), "补货")]
    assert problems(活动=reminder(subscription=None)) == [(("活动", "channels", 1), None)]


def test_the_plain_offer_cannot_be_a_coupon_for_a_category() -> None:
    wrong = offer(offer={"template": "category-10", "plain": "category-10"})
    assert problems(活动=wrong) == [(("活动", "offer", "plain"), None)]


@pytest.mark.parametrize(
    "change",
    [
        {"say": "您好{name}"}, {"say": "您好{member"}, {"say": "您好{}"}, {"say": "{member.id}"}, {"say": ""},
        {"channels": []}, {"channels": ["service", "service"]}, {"channels": ["wechat"]},
        {"schedule": {"every": "week"}}, {"schedule": {"every": "day", "day": "monday"}}, {"hold_out": "150%"},
        {"schedule": {"every": "week", "day": "monday", "at": "25:00"}}, {"color": "red"}, {"expires": "a while"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        offer(**change)


def test_a_reminder_that_names_a_coupon_needs_one() -> None:
    with pytest.raises(ValidationError, match="offer"):
        reminder(offer=None)
    assert reminder(offer=None, say="{category}该补货了").offer is None
    with pytest.raises(ValidationError, match="plain"):
        reminder(offer={"template": "category-10", "plain": "off-5"})


def test_quiet_hours_are_written_as_people_write_them() -> None:
    assert PolicyRules.model_validate({"quiet_hours": "21:30-08:30"}).quiet_hours == QuietHours(
        time(21, 30), time(8, 30)
    )
    assert PolicyRules.model_validate({"quiet_hours": None}).quiet_hours is None
    for wrong in ("21:30", "24:00-08:00", "9-5"):
        with pytest.raises(ValidationError):
            PolicyRules.model_validate({"quiet_hours": wrong})
