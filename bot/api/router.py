"""The routes under /api/v1, and their OpenAPI: what a till's programmer reads."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from bot.api import coupons, goods, orders, people
from bot.api.gate import gated
from bot.api.problems import FieldProblem, Problem, answer, refused
from bot.service import Service

PREFIX = "/api/v1"
ABOUT = """会员机器人给收银机和商城系统用的接口。

- 每个请求都带 `Authorization: Bearer mb_…`(`memberbot apikey add` 生成)。带门店的密钥只看得到、只管得了那一家门店。
- 写请求都要带 `Idempotency-Key`:同样的键和内容再来一次,得到第一次的回答,并带 `Idempotency-Replay: true`;
  同样的键换了内容是 409。业务拒绝也会记住;400、401、403、413、415、422(字段)、429、5xx 不记,改好后可以用同一个键再来。
- 金额都是整数「分」,时间都带时区(RFC 3339)。
- 出错时是 `application/problem+json`(RFC 9457):程序看 `code`,人看 `detail`。"""
TAGS = [
    {"name": "orders", "description": "订单、退款、换货"},
    {"name": "coupons", "description": "试算、锁定、核销、撤销核销"},
    {"name": "members", "description": "会员"},
    {"name": "goods", "description": "商品和到店事件"},
    {"name": "operations", "description": "运行状况"},
]


def mount(api: FastAPI, service: Service) -> None:
    """Add the routes of one installation to its app, what answers below the prefix where no route is, and OpenAPI."""
    router = APIRouter(prefix=PREFIX, route_class=gated(service))
    for part in (orders, coupons, people, goods):
        part.add_routes(router)
    api.include_router(router)
    api.add_exception_handler(HTTPException, _outside(service))
    vars(api)["openapi"] = _document(api)


def _outside(service: Service) -> Callable[[Request, Exception], Response]:
    """Return what answers a path or a method that is not there: below the prefix a problem, elsewhere as usual."""

    def handle(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        headers = dict(error.headers or {})
        if not f"{request.url.path}/".startswith(f"{PREFIX}/"):
            return JSONResponse({"detail": error.detail}, error.status_code, headers)
        code = {404: "api_not_found", 405: "api_method"}.get(error.status_code, "api_refused")
        return answer(service.copy, refused(error.status_code, code, headers, code=code))

    return handle


def _document(api: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return what makes the OpenAPI document, once."""

    def document() -> dict[str, Any]:
        if api.openapi_schema is None:
            made = get_openapi(title=api.title, version="1", description=ABOUT, routes=api.routes, tags=TAGS)
            api.openapi_schema = _completed(made)
        return api.openapi_schema

    return document


def _completed(made: dict[str, Any]) -> dict[str, Any]:
    """Add what FastAPI does not know: the key, and the problem that every error is."""
    parts = made.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for model in (Problem, FieldProblem):
        shape = model.model_json_schema(ref_template="#/components/schemas/{model}")
        shape.pop("$defs", None)
        schemas[model.__name__] = shape
    for left_over in ("HTTPValidationError", "ValidationError"):
        schemas.pop(left_over, None)
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "`memberbot apikey add`"}}
    return made
