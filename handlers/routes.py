"""The literal table: which intent is answered by which function, who may ask, and whether it writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from handlers import (
    binding,
    choosing,
    confirming,
    coupons,
    events,
    exchange,
    human,
    inviting,
    leaving,
    membership,
    menu,
    offers,
    orders,
    privacy,
    profile,
    recommending,
    reordering,
    rewards,
    stores,
    takeaway,
    talk,
    value,
)
from handlers.context import Context, Handler, Reply
from handlers.inbound import Inbound
from handlers.staff import counter, errands, joining, lookup, managing
from handlers.staff import talk as staff_talk


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
    Route("coupons", coupons.show, writes=True),
    Route("transfer_coupon", coupons.transfer, writes=True),
    Route("claim_coupon", coupons.claim, writes=True),
    Route("book_coupon", coupons.book, writes=True),
    Route("last_order", orders.last_order),
    Route("member_code", membership.member_code),
    Route("tier", membership.tier),
    Route("why", offers.why, writes=True),
    Route("recommend", recommending.recommend, members_only=False, writes=True),
    Route("bind", binding.bind, members_only=False, writes=True),
    Route("verify_code", binding.verify_code, members_only=False, writes=True, clickable=False),
    Route("resend", binding.resend, members_only=False, writes=True),
    Route("bad_phone", binding.bad_phone, members_only=False, clickable=False),
    Route("change_phone", binding.change_phone, writes=True),
    Route("unbind", binding.unbind, writes=True),
    Route("confirm_unbind", binding.confirm_unbind, writes=True),
    Route("confirm", confirming.confirm, members_only=False, writes=True),
    Route("cancel", binding.cancel, members_only=False, writes=True),
    Route("unsubscribe", privacy.unsubscribe, members_only=False, writes=True, exact=True),
    Route("resubscribe", privacy.resubscribe, writes=True, exact=True),
    Route("depersonalise", privacy.depersonalise, writes=True, exact=True),
    Route("personalise", privacy.personalise, writes=True, exact=True),
    Route("stores", stores.show, members_only=False),
    Route("location", stores.near, members_only=False, writes=True, clickable=False),
    Route("human", human.human, members_only=False, writes=True),
    Route("human_forward", human.forward, members_only=False, clickable=False),
    Route("human_over", human.call_back, members_only=False, writes=True, clickable=False),
    Route("image", talk.say("image_received"), members_only=False, clickable=False),
    Route("video", talk.say("video_received"), members_only=False, clickable=False),
    Route("shortvideo", talk.say("video_received"), members_only=False, clickable=False),
    Route("link", talk.say("link_received"), members_only=False, clickable=False),
    Route("sticker", talk.say("sticker_received"), members_only=False, clickable=False),
    Route("help", talk.say("help_member", "help_stranger"), members_only=False),
    Route("greeting", talk.say("greeting"), members_only=False),
    Route("thanks", talk.say("thanks"), members_only=False),
    Route("not_text", talk.say("not_text"), members_only=False, clickable=False),
    Route("voice_unclear", talk.say("voice_unclear"), members_only=False, clickable=False),
    Route("unknown", menu.unknown, members_only=False, writes=True),
    Route("which", menu.which, members_only=False, writes=True, clickable=False),
    Route("choose_again", choosing.again, members_only=False, clickable=False),
    Route("redeem_points", exchange.redeem_points, writes=True),
    Route("exchange_answer", exchange.answer, writes=True, clickable=False),
    Route("reorder", reordering.reorder, writes=True),
    Route("invite", inviting.invite, writes=True),
    Route("invite_code", inviting.typed, members_only=False, writes=True, clickable=False),
    Route("checkin", rewards.checkin, writes=True),
    Route("profile", profile.profile, writes=True),
    Route("remove_child", profile.remove_child, writes=True, clickable=False),
    Route("attention", privacy.attention, writes=True, clickable=False),
    Route("statement", exchange.statement),
    Route("erase", leaving.erase, members_only=False, writes=True),
    Route("confirm_erase", leaving.confirm, members_only=False, writes=True, clickable=False),
    Route("withdraw_erase", leaving.withdraw, members_only=False, writes=True),
    Route("export_data", takeaway.export, writes=True),
    *(
        Route(intent, counter.command(*needed), members_only=False, writes=True)
        for intent, needed in staff_talk.COMMANDS.items()
    ),
    Route("staff_answer", staff_talk.answer, members_only=False, writes=True, clickable=False),
    Route("staff_confirm", staff_talk.confirm, members_only=False, writes=True, clickable=False),
    Route("staff_undo", errands.undo, members_only=False, writes=True),
    Route("staff_today", lookup.today, members_only=False),
    Route("staff_segment", lookup.segment, members_only=False),
    Route("staff_help", lookup.helped, members_only=False),
    Route("staff_approvals", managing.waiting, members_only=False),
    Route("staff_approve", managing.approve, members_only=False, writes=True, clickable=False),
    Route("staff_refuse", managing.refuse, members_only=False, writes=True, clickable=False),
    Route("staff_people", managing.people, members_only=False),
    Route("staff_invite", managing.invite, members_only=False, writes=True, clickable=False),
    Route("staff_revoke", managing.revoke, members_only=False, writes=True, clickable=False),
    Route("staff_tasks", managing.todo, members_only=False),
    Route("staff_assign", managing.assign, members_only=False, writes=True, clickable=False),
    Route("staff_done", managing.finish, members_only=False, writes=True, clickable=False),
    Route("invite_word", joining.word, members_only=False, writes=True, clickable=False),
)
ROUTES: Mapping[str, Route] = MappingProxyType({route.intent: route for route in _ROWS})

EVENTS: Mapping[str, Callable[[Inbound, Context], Reply]] = MappingProxyType(
    {
        "subscribe": events.subscribe,
        "unsubscribe": events.leave,
        "scan": events.scan,
        "view": events.silent,
        "location": events.located,
        "subscribe_msg_popup_event": events.subscription_answered,
        "subscribe_msg_change_event": events.subscription_answered,
        "kf_create_session": human.session_begun,
        "kf_close_session": human.session_closed,
        "user_info_modified": events.silent,
        "user_authorization_revoke": events.taken_back,
        "user_authorization_cancellation": events.leave,
    }
)
