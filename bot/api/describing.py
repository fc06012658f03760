"""What every operation says of itself in OpenAPI: its scope, its headers, its errors."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from bot.api.problems import MEDIA

READS = (400, 401, 403, 404, 413, 415, 422, 429, 500, 503)
WRITES = (*READS, 409)
PROBLEM = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
MEANING = {
    400: "不是 JSON,或缺少 Idempotency-Key", 401: "没有密钥,或密钥无效", 403: "密钥没有这个权限",
    404: "没有,或不归这个密钥看", 409: "规则不允许,或幂等键与别的内容用过", 413: "内容太大",
    415: "要 application/json", 422: "有字段不对", 429: "太频繁,或券码错得太多", 500: "内部错误,已记录编号",
    503: "账本正忙,请稍后再试",
}  # fmt: skip
KEY = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "description": "每个写请求自己的键;重试时用同一个", "example": "till-1-000123",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]{1,128}$"},
}  # fmt: skip
REPLAY = {"Idempotency-Replay": {"description": "这是第一次的回答", "schema": {"type": "string", "enum": ["true"]}}}
SLOW = {"Retry-After": {"description": "几秒后再试", "schema": {"type": "string"}}}


def operation(
    scope: str, summary: str, tag: str, model: type[BaseModel], *, status: int = 200, also: int | None = None,
    writes: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Return what a route decorator is told; `also` is a second good status with the same body."""
    responses: dict[int | str, dict[str, Any]] = {code: _problem(code) for code in (WRITES if writes else READS)}
    for good in (status, also):
        if good is not None:
            responses[good] = {"description": HTTPStatus(good).phrase, "model": model}
            if writes:
                responses[good]["headers"] = REPLAY
    extra: dict[str, Any] = {"x-scope": scope, "security": [{"key": []}]}
    if writes:
        extra["parameters"] = [KEY]
    return {
        "summary": summary, "tags": [tag], "response_model": model, "status_code": status, "responses": responses,
        "openapi_extra": extra,
    }  # fmt: skip


def _problem(code: int) -> dict[str, Any]:
    shown = {"description": MEANING[code], "content": PROBLEM}
    return shown | {"headers": SLOW} if code in (429, 503) else shown
