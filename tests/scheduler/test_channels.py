"""The tables are total, and say what the platform facts sheet says."""

from datetime import timedelta

import pytest

from scheduler.channels import RULES, Channel, Meaning, Outcome, SendResult, meaning_of, outcome_of

PLATFORM = {
    45015: ("window_closed", "refused"),
    45047: ("window_used_up", "refused"),
    45002: ("too_long", "refused"),
    43004: ("not_following", "refused"),
    40037: ("bad_template", "refused"),
    47003: ("bad_field", "refused"),
    43101: ("no_consent", "refused"),
    43117: ("too_often", "refused"),
    45009: ("daily_quota", "retry"),
    45011: ("minute_quota", "retry"),
    45028: ("no_mass_quota", "refused"),
    45065: ("already_sent", "accepted"),
    45067: ("client_id_too_long", "refused"),
    45072: ("typing_state", "refused"),
    45080: ("typing_state", "refused"),
    45081: ("typing_state", "refused"),
    -1: ("busy", "retry"),
    40001: ("token", "refused"),
    40014: ("token", "refused"),
    42001: ("token", "refused"),
    40164: ("ip_not_allowed", "refused"),
    0: ("ok", "accepted"),
}


@pytest.mark.parametrize("errcode", PLATFORM)
def test_every_code_of_the_facts_sheet(errcode: int) -> None:
    assert (meaning_of(errcode), outcome_of(errcode)) == PLATFORM[errcode]


@pytest.mark.parametrize("errcode", [1, 99999, -2, 2**40])
def test_any_other_code_is_an_unknown_error_and_refused(errcode: int) -> None:
    assert (meaning_of(errcode), outcome_of(errcode)) == (Meaning.UNKNOWN_ERROR, Outcome.REFUSED)


def test_a_result_without_an_answer_has_no_meaning() -> None:
    assert SendResult(Outcome.UNKNOWN, "ReadTimeout").meaning is Meaning.UNKNOWN_ERROR
    assert SendResult.of(45047).meaning is Meaning.WINDOW_USED_UP


def test_every_channel_has_rules() -> None:
    assert set(RULES) == set(Channel)


def test_marketing_never_goes_as_a_template_or_subscription_notice() -> None:
    offers = {channel for channel, rules in RULES.items() if rules.offers}
    assert offers == {Channel.REPLY, Channel.SERVICE, Channel.MASS, Channel.SMS, Channel.STAFF_TASK}
    assert not RULES[Channel.TEMPLATE].reminders
    assert RULES[Channel.SUBSCRIPTION].reminders


def test_a_lost_answer_is_repeated_only_under_a_client_id_and_while_it_counts() -> None:
    soon = {channel for channel, rules in RULES.items() if rules.repeatable(timedelta(minutes=1))}
    assert soon == {Channel.REPLY, Channel.TEMPLATE, Channel.MASS, Channel.STAFF_TASK}
    assert not RULES[Channel.TEMPLATE].repeatable(timedelta(minutes=10))
    assert not RULES[Channel.MASS].repeatable(timedelta(hours=24))
