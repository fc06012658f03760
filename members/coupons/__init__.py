"""Coupons: issued → (locked) → redeemed | expired | void, and back by reversal; each step one conditional update.

Money of a template: `committed` = what its copies may still cost at most (`reserved`) + what the redeemed ones took off
(`discount`); a thing that was redeemed keeps its cost in `reserved`. Who calls writes the audit trail.
"""

from members.coupons.codes import ALPHABET, SYMBOLS, check_symbol, new_code, normalise_code, spell
from members.coupons.copies import (
    CATEGORY,
    PRODUCT,
    Copy,
    by_id,
    count_usable,
    find,
    held,
    held_by,
    refuse_unusable,
    usable,
)
from members.coupons.ending import Ending, due_to_announce, expire_due
from members.coupons.guessing import WRONG, guarded, wrong_code
from members.coupons.holding import granted, left, live
from members.coupons.issuing import Issued, coupons, issue
from members.coupons.kinds import grants, rule_of, rules_of, stored, sync_templates, templates, voucher_rule
from members.coupons.redeeming import Locked, Redeemed, Reversed, lock, redeem, reverse, unlock, void
from members.coupons.transferring import (
    HOURS,
    Claimed,
    cancel_transfer,
    claim_transfer,
    expire_transfers,
    offer_transfer,
    transfers,
)

__all__ = [
    "ALPHABET",
    "CATEGORY",
    "HOURS",
    "PRODUCT",
    "SYMBOLS",
    "WRONG",
    "Claimed",
    "Copy",
    "Ending",
    "Issued",
    "Locked",
    "Redeemed",
    "Reversed",
    "by_id",
    "cancel_transfer",
    "check_symbol",
    "claim_transfer",
    "count_usable",
    "coupons",
    "due_to_announce",
    "expire_due",
    "expire_transfers",
    "find",
    "granted",
    "grants",
    "guarded",
    "held",
    "held_by",
    "issue",
    "left",
    "live",
    "lock",
    "new_code",
    "normalise_code",
    "offer_transfer",
    "redeem",
    "refuse_unusable",
    "reverse",
    "rule_of",
    "rules_of",
    "spell",
    "stored",
    "sync_templates",
    "templates",
    "transfers",
    "unlock",
    "usable",
    "void",
    "voucher_rule",
    "wrong_code",
]
