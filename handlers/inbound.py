"""One callback of the platform, parsed: what the rest of the house knows of a message."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message or an event of one openid. `key` names it for deduplication; `raw` is the parsed body."""

    key: str
    to: str
    openid: str
    kind: str
    created: int
    text: str = ""
    event: str = ""
    event_key: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_event(self) -> bool:
        """Tell whether this is an event rather than something the person said."""
        return self.kind == "event"

    @property
    def window(self) -> str:
        """Return the customer-service window it opens: 'message' (48 h), 'action' (1 min) or ''."""
        if not self.is_event:
            # a tap in a msgmenu "arrives as text with bizmsgmenuid" and counts as a tap
            return "action" if "bizmsgmenuid" in self.raw else "message"
        return "action" if self.event.lower() in ("click", "subscribe", "scan") else ""
