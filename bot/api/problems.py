"""Errors as RFC 9457 problem details: a stable code for programs, a sentence for people, the fields at fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from handlers.copy import Copy
from members.errors import MemberError

MEDIA = "application/problem+json"
MOST_FIELDS = 20
# what a rule refuses is 409; what is not there, or must look so, is 404; what can be true of no books at all is 422
GONE = ("coupon_unknown", "coupon_mistyped", "order_unknown", "member_unknown", "store_unknown", "no_store")
INVALID = (
    "bad_phone", "buyer_kind", "amount_range", "order_no", "order_future", "order_old", "order_lines", "order_sum",
    "order_pay_too_much", "refund_sum",
)  # fmt: skip
SLOW = ("codes_locked", "api_rate", "api_misses")
FIELD_WORDS = {
    "missing": "field_missing", "extra_forbidden": "field_extra", "int_type": "field_int", "bool_type": "field_bool",
    "greater_than_equal": "field_min", "less_than_equal": "field_max", "string_too_short": "field_short",
    "string_too_long": "field_long", "too_long": "field_many", "too_short": "field_few",
    "string_type": "field_text", "string_pattern_mismatch": "field_shape", "literal_error": "field_choice",
    "list_type": "field_list", "model_attributes_type": "field_object", "model_type": "field_object",
}  # fmt: skip


class FieldProblem(BaseModel):
    """One field that is not as it should be."""

    field: str = Field(description="路径,例如 lines.0.amount", examples=["lines.0.amount"])
    code: str = Field(examples=["greater_than_equal"])
    message: str = Field(examples=["不能小于 0"])


class Problem(BaseModel):
    """What went wrong (RFC 9457); `code` is stable, `detail` is for people."""

    model_config = ConfigDict(json_schema_extra={"example": {
        "type": "urn:memberbot:coupon_used", "title": "Conflict", "status": 409, "code": "coupon_used",
        "detail": "「满100减20」已在 2026年3月2日 14:05 用过了。",
    }})  # fmt: skip
    type: str
    title: str
    status: int = Field(ge=400, le=599)
    code: str
    detail: str
    errors: list[FieldProblem] | None = None


@dataclass(slots=True)
class Refused(Exception):
    """An answer that ends a request before anything was done; never stored under an idempotency key."""

    status: int
    code: str
    facts: Mapping[str, object]
    headers: Mapping[str, str]


def refused(status: int, code: str, headers: Mapping[str, str] | None = None, /, **facts: object) -> Refused:
    """Return a refusal to raise."""
    return Refused(status, code, facts, headers or {})


def status_of(code: str) -> int:
    """Return the status of a refusal by the books."""
    if code == "busy":
        return 503
    return 404 if code in GONE else 429 if code in SLOW else 422 if code in INVALID else 409


def words(copy: Copy, code: str, facts: Mapping[str, object]) -> str:
    """Return the sentence of a code; one that has none, or not these facts, still gets a sentence."""
    try:
        return copy.text(code, **facts)
    except (KeyError, IndexError, ValueError):
        return copy.text("api_refused", code=code)


def body_of(
    copy: Copy, status: int, code: str, facts: Mapping[str, object], errors: Sequence[FieldProblem] = ()
) -> str:
    """Return the JSON of a problem."""
    problem = Problem(
        type=f"urn:memberbot:{code}", title=HTTPStatus(status).phrase, status=status, code=code,
        detail=words(copy, code, facts), errors=list(errors) or None,
    )  # fmt: skip
    return problem.model_dump_json(exclude_none=True)


def answer(copy: Copy, problem: Refused, errors: Sequence[FieldProblem] = ()) -> Response:
    """Return the response of a refusal."""
    body = body_of(copy, problem.status, problem.code, problem.facts, errors)
    return Response(body, problem.status, dict(problem.headers), MEDIA)


def of_books(copy: Copy, error: MemberError) -> tuple[int, str]:
    """Return status and JSON of a refusal by the books."""
    status = status_of(error.code)
    return status, body_of(copy, status, error.code, error.facts)


def fields(copy: Copy, found: Sequence[Mapping[str, Any]]) -> list[FieldProblem]:
    """Return what pydantic found, field by field, without what was sent."""
    shown = []
    for one in found[:MOST_FIELDS]:
        kind, facts = str(one["type"]), dict(one.get("ctx") or {})
        place = [str(step) for step in one["loc"] if step not in ("body", "query", "path", "header")]
        key = FIELD_WORDS.get(kind, "field_bad")
        shown.append(FieldProblem(field=".".join(place), code=kind, message=words(copy, key, facts)))
    return shown
