"""Calls to other people's servers: how a client is opened, and what a failed call lets us know."""

import ipaddress
import logging
import ssl
from functools import cache
from typing import Final

import httpx

from scheduler.channels import Outcome

TIMEOUT: Final = httpx.Timeout(10.0, connect=3.0)

NEVER_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def open_client(
    base_url: str, *, transport: httpx.BaseTransport | None = None, timeout: httpx.Timeout = TIMEOUT
) -> httpx.Client:
    """Open a client whose addresses stay out of the logs; a loopback address never goes through a proxy.

    httpx logs every URL at INFO, and ours carry access tokens and, for one SMS vendor, the phone.
    """
    httpx_log = logging.getLogger("httpx")
    httpx_log.setLevel(max(httpx_log.level, logging.WARNING))
    url = httpx.URL(base_url)
    env = not _is_loopback(url.host)
    return httpx.Client(base_url=url, transport=transport, timeout=timeout, trust_env=env, verify=_trusted(env))


@cache
def _trusted(env: bool) -> ssl.SSLContext:
    """Return whom to trust, read once: it takes longer than a call."""
    return httpx.create_ssl_context(trust_env=env)


def failure_outcome(error: httpx.RequestError) -> Outcome:
    """Return `retry` when the request never left this machine, else `unknown`: it may have been carried out."""
    if isinstance(error, (*NEVER_LEFT, httpx.UnsupportedProtocol)):
        return Outcome.RETRY
    return Outcome.UNKNOWN


def status_outcome(status: int) -> Outcome:
    """Return what an HTTP status without a readable body lets us know."""
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Outcome.RETRY
    return Outcome.REFUSED if httpx.codes.is_client_error(status) else Outcome.UNKNOWN


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
