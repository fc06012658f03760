"""The REST part: what tills and shop systems say, under /api/v1."""

from bot.api.router import PREFIX, mount

__all__ = ["PREFIX", "mount"]
