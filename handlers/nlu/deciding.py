"""What to make of the model's probabilities: act on a read-only intent, ask, or own up to not knowing.

An action (what moves value, erases, subscribes or confirms) is never more than a question here; the exact words are
understood elsewhere (handlers/understanding.py).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from handlers.grammar import UNSURE
from handlers.nlu import lexicon
from handlers.nlu.phrases import UNKNOWN

ACT, ASK, ASK_ACTION, ASK_CLAUSE = 0.7, 0.3, 0.5, 0.7
MOST_NEAR, LEAST_NEAR, MOST_CLAUSES, SHORTEST, SHORT = 5, 0.02, 6, 3, 14
# more strangers are among the phrases than people type: a corrected prior (Saerens et al., Neural Computation 14, 2002)
STRANGERS = 0.6
SMALL_TALK = frozenset((UNKNOWN, "greeting", "thanks", "confirm", "cancel", "verify_code", "help", "resend"))
_CLAUSES = re.compile(r"[,.!?;:、。~]+|(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])")
READ_ONLY = frozenset(
    (
        "points", "points_history", "balance", "balance_history", "coupons", "last_order", "recommend", "why",
        "member_code", "tier", "stores", "help", "human", "greeting", "thanks", "bind", "invite", "profile",
        "statement", "change_phone",
        "staff_lookup", "staff_today", "staff_tasks", "staff_segment", "staff_help",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guess:
    """An intent or `unknown`, its calibrated probability (capped for what acts), and what else it may be."""

    intent: str
    confidence: float
    near: tuple[tuple[str, float], ...]


@lru_cache(maxsize=2048)
def decide(plain: str, *, staff: bool = False) -> Guess:
    """Return what a normalised line most likely means; staff intents are unknown to anybody else."""
    ranked = _ranked(plain, staff)
    best, chance = ranked[0]
    if best != UNKNOWN and len(plain) <= SHORT and lexicon.is_foreign(plain):
        return Guess(UNKNOWN, 0.0, ())
    near = tuple((intent, p) for intent, p in ranked if intent != UNKNOWN and p >= LEAST_NEAR)
    acts = best not in READ_ONLY
    if best != UNKNOWN and chance >= (ASK_ACTION if acts else ASK):
        if chance >= ACT:
            return Guess(best, min(chance, UNSURE) if acts else chance, ())
        return Guess(best, min(chance, UNSURE), near[1:MOST_NEAR])
    told = _told(plain, staff)
    return Guess(UNKNOWN, 0.0, near[:MOST_NEAR]) if told is None else Guess(told[0], UNSURE, (told, *near)[1:MOST_NEAR])


def _told(plain: str, staff: bool) -> tuple[str, float] | None:
    """Return the wish within a story: the likeliest of its last clauses that is likely by itself; none if not ours."""
    if lexicon.is_foreign(plain):
        return None
    clauses = [clause.strip() for clause in _CLAUSES.split(plain) if len(clause.strip()) >= SHORTEST]
    if len(clauses) < 2:
        return None
    found = [_ranked(clause, staff)[0] for clause in clauses[-MOST_CLAUSES:]]
    likely = [(intent, p) for intent, p in found if p >= ASK_CLAUSE and intent not in SMALL_TALK]
    return max(likely, key=lambda pair: pair[1], default=None)


def _ranked(plain: str, staff: bool) -> list[tuple[str, float]]:
    from handlers.nlu.model import loaded  # numpy comes with it: a tenth of a second that starting need not wait for

    ranked = [(intent, p * (STRANGERS if intent == UNKNOWN else 1)) for intent, p in loaded().ranked(plain)]
    whole = sum(p for _, p in ranked)
    hidden = 0.0 if staff else sum(p for intent, p in ranked if intent.startswith("staff_"))
    seen = [pair for pair in ranked if staff or not pair[0].startswith("staff_")]
    found = [(intent, (p + (hidden if intent == UNKNOWN else 0)) / whole) for intent, p in seen]
    return sorted(found, key=lambda pair: -pair[1])
