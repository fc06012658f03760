"""The literal table: which intent is answered by which function, who may ask, and whether it writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from handlers import binding, events, membership, offers, orders, privacy, talk, value
from handlers.context import Context, Handler, Reply
from handlers.inbound import Inbound
from handlers.staff import coupons as staff_coupons
from handlers.staff import lookup


@dataclass(frozen=True, slots=True)
class Route:
    """One row: `members_only` asks strangers to bind first; `writes` runs in a savepoint of its own.

    `exact` asks for the exact words when the intent is not sure; `clickable` may be a menu key.
    """

    intent: str
    handler: Handler
    members_only: bool = True
    writes: bool = False
    exact: bool = False
    clickable: bool = True


_ROWS = (
    Route("points", value.points),
    Route("points_history", value.points_history),
    Route("balance", value.balance),
    Route("balance_history", value.balance_history),
    Route("coupons", value.coupons),
    Route("last_order", orders.last_order),
    Route("member_code", membership.member_code),
    Route("tier", membership.tier),
    Route("why", offers.why),
    Route("recommend", offers.recommend),
    Route("bind", binding.bind, members_only=False, writes=True),
    Route("verify_code", binding.verify_code, members_only=False, writes=True, clickable=False),
    Route("resend", binding.resend, members_only=False, writes=True),
    Route("bad_phone", binding.bad_phone, members_only=False, clickable=False),
    Route("change_phone", binding.change_phone, writes=True),
    Route("unbind", binding.unbind, writes=True),
    Route("confirm_unbind", binding.confirm_unbind, writes=True),
    Route("confirm", binding.confirm, members_only=False, writes=True),
    Route("cancel", binding.cancel, members_only=False, writes=True),
    Route("unsubscribe", privacy.unsubscribe, members_only=False, writes=True, exact=True),
    Route("resubscribe", privacy.resubscribe, writes=True, exact=True),
    Route("depersonalise", privacy.depersonalise, writes=True, exact=True),
    Route("personalise", privacy.personalise, writes=True, exact=True),
    Route("stores", talk.stores, members_only=False),
    Route("human", talk.say("human"), members_only=False),
    Route("help", talk.say("help_member", "help_stranger"), members_only=False),
    Route("greeting", talk.say("greeting"), members_only=False),
    Route("thanks", talk.say("thanks"), members_only=False),
    Route("not_text", talk.say("not_text"), members_only=False, clickable=False),
    Route("voice_unclear", talk.say("voice_unclear"), members_only=False, clickable=False),
    Route("unknown", talk.say("unknown_member", "unknown_stranger"), members_only=False),
    Route("redeem_points", talk.say("not_offered")),
    Route("reorder", talk.say("not_offered")),
    Route("invite", talk.say("not_offered")),
    Route("checkin", talk.say("not_offered")),
    Route("profile", talk.say("not_offered")),
    Route("statement", talk.say("not_offered")),
    Route("erase", talk.say("not_offered")),
    Route("export_data", talk.say("not_offered")),
    Route("staff_issue", staff_coupons.issue, members_only=False, writes=True),
    Route("staff_redeem", staff_coupons.redeem, members_only=False, writes=True),
    Route("staff_lookup", lookup.lookup, members_only=False, writes=True),
    Route("staff_today", lookup.today, members_only=False),
    Route("staff_help", talk.say("staff_help"), members_only=False),
)
ROUTES: Mapping[str, Route] = MappingProxyType({route.intent: route for route in _ROWS})

EVENTS: Mapping[str, Callable[[Inbound, Context], Reply]] = MappingProxyType(
    {
        "subscribe": events.subscribe,
        "unsubscribe": events.unsubscribe,
        "scan": events.scan,
        "templatesendjobfinish": events.finished,
        "masssendjobfinish": events.finished,
        "subscribe_msg_popup_event": events.subscription_answered,
        "subscribe_msg_change_event": events.subscription_answered,
    }
)
