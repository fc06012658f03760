"""The local WeChat platform and its chat page; used only when `sandbox.enabled`."""

from bot.sandbox.build import Sandbox, build_sandbox
from bot.sandbox.errors import UserError
from bot.sandbox.hooks import Hooks, Person
from bot.sandbox.platform import Platform
from bot.sandbox.settings import SandboxSettings, TemplateSpec
from bot.sandbox.turns import Turn

__all__ = [
    "Hooks",
    "Person",
    "Platform",
    "Sandbox",
    "SandboxSettings",
    "TemplateSpec",
    "Turn",
    "UserError",
    "build_sandbox",
]
