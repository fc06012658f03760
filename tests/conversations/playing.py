"""A conversation played as it stands, and its variations: each begins at a moment the plain play has kept."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.conversations.books import Facts, difference
from tests.conversations.orders import carry_out, device
from tests.conversations.stage import Said, Saved, Stage
from tests.conversations.talk import Order, Talk, Turn

INCIDENT = re.compile(r"编号 [0-9a-f]{8}")
INTERRUPTIONS = (Turn("", "text", "积分", 0), Turn("", "text", "你好", 0), Turn("", "image", "", 0))
CANCEL = Turn("", "text", "取消", 0)
SECOND = "·二"
EXPIRY = timedelta(minutes=11)


@dataclass(slots=True, repr=False)
class Step:
    """One turn as it was played: the moment before it, the orders that come after it, what it changed.

    `before`: value before it; `until`: until when a flow of the speaker's was open before it, None without one.
    """

    turn: Turn
    saved: Saved
    before: Facts
    until: datetime | None
    then: list[Order] = field(default_factory=list)
    said: str = ""
    acted: bool = False

    @property
    def answers(self) -> bool:
        """Tell whether the turn goes on with a flow of the speaker's."""
        return self.until is not None and not self.turn.fresh


@dataclass(slots=True, repr=False)
class Played:
    """The plain play: its steps, and the books at its end."""

    talk: Talk
    stage: Stage
    steps: list[Step]
    end: Facts
    value: Facts


def play(talk: Talk, stage: Stage) -> None:
    """Play a conversation and hold every reply and every @ line against what is written."""
    for step in talk.steps:
        if isinstance(step, Order):
            carry_out(stage, step)
        else:
            wrong = stage.check(step, stage.say(step).text)
            assert not wrong, wrong


def record(talk: Talk, stage: Stage) -> Played:
    """Play a conversation and keep every moment of it; what it expects is tested elsewhere, it must hold here too."""
    steps: list[Step] = []
    assert stage.shop, "what a start writes is there before the first moment is kept"
    for item in talk.steps:
        if isinstance(item, Order):
            carry_out(stage, item, varied=bool(steps))
            if steps:
                steps[-1].then.append(item)
            continue
        step = Step(item, stage.save(), stage.file.value(), open_until(stage, item.who))
        said = stage.say(item).text
        wrong = stage.check(item, said)
        assert not wrong, wrong
        step.said, step.acted = stage.seen(said), bool(difference(step.before, stage.file.value()))
        steps.append(step)
    return Played(talk, stage, steps, stage.file.facts(), stage.file.value())


def open_until(stage: Stage, who: str) -> datetime | None:
    """Return until when a flow of the person's is open, None when none is."""
    text = stage.file.stands().get(stage.openid(who))
    until = None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
    return until if until is not None and until > stage.clock.now() else None


def go_on(played: Played, place: int) -> str:
    """Play on from a step; return the first thing that is other than in the plain play, '' for none."""
    for step in played.steps[place:]:
        if wrong := repeat(played.stage, step):
            return wrong
    return _told(difference(played.end, played.stage.file.facts()))


def repeat(stage: Stage, step: Step) -> str:
    """Say a turn as in the plain play, with what comes after it; return how the reply differs, '' when it does not."""
    said = stage.say(step.turn).text
    wrong = stage.check(step.turn, said)
    for order in step.then:
        carry_out(stage, order, varied=True)
    if wrong or stage.seen(said) == step.said:
        return wrong
    return f"line {step.turn.line}: the bot said: {step.said}\nnow it says: {stage.seen(said)}"


def _told(changed: object) -> str:
    return f"the books at the end differ: {changed}" if changed else ""


def unanswered(said: Said) -> str:
    """Return what is wrong with an answer of which only that it is one can be said."""
    if not said.xml:
        return "there is no answer"
    return f"an incident: {said.text}" if INCIDENT.search(said.text) else ""


def nothing_acts(played: Played, place: int, value: Facts) -> str:
    """Say the answers that belonged to a flow that is over: none may move anything."""
    stage, first = played.stage, played.steps[place]
    for step in played.steps[place:]:
        if step.turn.who != first.turn.who or not step.answers:
            break
        wrong = unanswered(stage.say(step.turn))
        if not wrong and (changed := difference(value, stage.file.value())):
            wrong = f"it moves {changed}"
        if wrong:
            return f"line {step.turn.line}, 「{step.turn.words}」 to a flow that is over: {wrong}"
    return ""


def interrupted(played: Played, place: int, by: Turn) -> str:
    """(a) Ask something else before a turn: the flow goes on, or (打断即止) it is over and nothing acts."""
    stage, step = played.stage, played.steps[place]
    stage.back_to(step.saved)
    wrong = unanswered(stage.say(by, step.turn.who))
    if not wrong and (changed := difference(step.before, stage.file.value())):
        wrong = f"the interruption moves {changed}"
    if not wrong and "打断即止" in played.talk.flags and step.answers:
        wrong = nothing_acts(played, place, step.before)
    elif not wrong:
        wrong = go_on(played, place)
    return f"「{by.words or by.kind}」 before line {step.turn.line}: {wrong}" if wrong else ""


def cancelled(played: Played, place: int) -> str:
    """(b) Say 取消 before a turn: no flow is left, nothing has moved, and what belonged to the flow moves nothing."""
    stage, step = played.stage, played.steps[place]
    stage.back_to(step.saved)
    wrong = unanswered(stage.say(CANCEL, step.turn.who))
    if not wrong and (changed := difference(step.before, stage.file.value())):
        wrong = f"取消 moves {changed}"
    if not wrong and open_until(stage, step.turn.who) is not None:
        wrong = "a flow is still open"
    if not wrong and step.answers:
        wrong = nothing_acts(played, place, step.before)
    elif not wrong and "取消不同" not in played.talk.flags:
        wrong = go_on(played, place)
    return f"取消 before line {step.turn.line}: {wrong}" if wrong else ""


def doubled(played: Played) -> str:
    """(c) Deliver every message twice, and all of them once more at the end: the same answers, the same books."""
    stage, sent = played.stage, []
    stage.back_to(played.steps[0].saved)
    for step in played.steps:
        said = stage.say(step.turn)
        again = stage.deliver(said.talker, said.body, said.query)
        sent.append(said)
        if again.xml != said.xml:
            return f"line {step.turn.line}: the second delivery is answered otherwise: {again.text}"
        if wrong := stage.check(step.turn, said.text):
            return wrong
        for order in step.then:
            carry_out(stage, order, varied=True)
    late = [s.text for s in sent if stage.deliver(s.talker, s.body, s.query).xml != s.xml]
    return f"delivered late, answered otherwise: {late}" if late else _told(difference(played.end, stage.file.facts()))


def on_two_devices(played: Played) -> str:
    """(d) A second device of each member says all that does not act, a moment before; what acts, it takes back.

    The first device hears what it heard alone, and the member owns at the end what they owned.
    """
    stage = played.stage
    stage.back_to(played.steps[0].saved)
    seconds = [who + SECOND for who in list(stage.members) if _alone(played, who)]
    for second in seconds:
        device(stage, second, second.removesuffix(SECOND))
    openids = [stage.openid(second) for second in seconds]
    for step in played.steps:
        if step.turn.who + SECOND in seconds and "{" not in step.turn.words:
            other = CANCEL if step.acted else step.turn
            if wrong := unanswered(stage.say(other, step.turn.who + SECOND)):
                return f"the second device, line {step.turn.line}: {wrong}"
        if wrong := repeat(stage, step):
            return f"the first device: {wrong}"
    return _told(difference(played.value, stage.file.value(openids=openids)))


def _alone(played: Played, who: str) -> bool:
    """Tell whether somebody speaks who was a member when the talk began."""
    return any(step.turn.who == who and step.turn.kind in ("text", "voice") for step in played.steps)


def expired(played: Played, place: int, *, at_limit: bool) -> str:
    """(e) Wait 11 minutes, or until the flow has run out, before a turn that answers: a clear word, nothing done."""
    stage, step = played.stage, played.steps[place]
    stage.back_to(step.saved)
    until = step.until or stage.clock.now()
    wait = max(until - stage.clock.now(), EXPIRY) if at_limit else EXPIRY
    stage.clock.forward(seconds=wait.total_seconds() + 1)
    over = stage.clock.now() >= until
    said = stage.say(step.turn)
    wrong = unanswered(said)
    if not wrong and over and step.acted and stage.seen(said.text) == step.said:
        wrong = f"it is answered as if it were in time: {said.text}"
    if not wrong and over and (changed := difference(step.before, stage.file.value())):
        wrong = f"it moves {changed}"
    return f"{wait} before line {step.turn.line}: {wrong}" if wrong else ""


def restarted(played: Played) -> str:
    """(f) Stop and start the service before every turn: the same transcript, the same books."""
    stage = played.stage
    stage.back_to(played.steps[0].saved)
    for step in played.steps:
        stage.close()
        if wrong := repeat(stage, step):
            return f"after a restart: {wrong}"
    return _told(difference(played.end, stage.file.facts()))
