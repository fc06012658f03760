"""The command line's master key; needs no installation."""

from bot.console import Json, out, show
from members.vault import generate_key


def key(json: Json = False) -> None:
    """Print a new master key for privacy.keys."""
    made = generate_key()
    show({"key": made}, json, lambda _: out(made))
