"""What staff most likely want where the counter's grammar found no command: only whom, and how much, is taken over.

Whatever moves value is echoed by the counter and waits for 确认; what is missing it asks for.
"""

import re
from collections.abc import Mapping

from handlers.staff.reading import money_in, who_in

_PAID_IN = re.compile(r"存|充|储")
_LESS = re.compile(r"扣|减|收回|去掉")
ABOUT_MEMBER = frozenset(("points", "points_history", "balance", "balance_history", "coupons", "tier", "member_code"))
OF_ORDERS = frozenset(("last_order", "reorder"))


def slots_of(intent: str, plain: str) -> Mapping[str, str]:
    """Return the slots of a likely staff command in a normalised line."""
    marked, who = who_in(plain)
    slots = {name: value for name, value in who.items() if name != "problem"}
    if intent in ("staff_sale", "staff_topup") and (money := money_in(marked)) is not None and not money.problem:
        slots["amount"] = str(money.value)
    if intent == "staff_points" and _LESS.search(plain):
        slots["sign"] = "-"
    return slots


def about_a_member(intent: str, plain: str) -> tuple[str, Mapping[str, str]] | None:
    """Return the look-up that staff mean who ask of somebody named what members ask of themselves."""
    if (
        intent in ("balance", "staff_lookup")
        and _PAID_IN.search(plain)
        and "amount" in (paid := slots_of("staff_topup", plain))
    ):
        return "staff_topup", paid
    if intent not in ABOUT_MEMBER | OF_ORDERS:
        return None
    who = {name: value for name, value in who_in(plain)[1].items() if name != "problem"}
    return ("staff_last" if intent in OF_ORDERS else "staff_lookup", who) if who else None
