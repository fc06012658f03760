"""A WeRoBot robot that only echoes, in plain mode and without sessions: what people run today."""

from typing import Any

from werobot import WeRoBot

from benchmarks.shop import KEYS


def echo(message: Any) -> str:
    """Say it back."""
    return str(message.content)


robot = WeRoBot(token=KEYS.token, SESSION_STORAGE=False)
robot.add_handler(echo, type="text")
application = robot.wsgi
