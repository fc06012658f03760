"""Events for the page: numbered, kept per person, journalled on disk, pushed to whoever listens."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, TextIO

from bot.sandbox.limits import HISTORY_PER_PERSON, REPLAYED_EVENTS

Event = dict[str, Any]
LISTENER_QUEUE: Final = 2_000
JOURNAL_LINES: Final = 50_000


class Hub:
    """Ids only grow, also over restarts; a listener too far behind is cut off and may come back with its last id."""

    def __init__(self, journal: Path | None) -> None:
        self._journal = journal
        self._file: TextIO | None = None
        self._lines = 0
        self.last_id = 0
        self._kept: defaultdict[str, deque[Event]] = defaultdict(lambda: deque(maxlen=HISTORY_PER_PERSON))
        self._recent: deque[Event] = deque(maxlen=REPLAYED_EVENTS)
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self.closed = False
        if journal is not None:
            self._read(journal)
            self._compact()

    def publish(self, type_: str, **content: Any) -> Event:
        """Number, keep and push one event."""
        self.last_id += 1
        event: Event = {"id": self.last_id, "type": type_, **content}
        self._keep(event)
        if self._file is not None:
            self._file.write(json.dumps(event, ensure_ascii=False) + "\n")
            self._file.flush()
            self._lines += 1
            if self._lines > JOURNAL_LINES:
                self._compact()
        for listener in list(self._listeners):
            try:
                listener.put_nowait(event)
            except asyncio.QueueFull:
                self._listeners.discard(listener)
        return event

    def history(self, openid: str) -> list[Event]:
        """The last events of one person, oldest first."""
        return list(self._kept.get(openid, ()))

    def since(self, after: int) -> list[Event]:
        """The events after id `after` that are still at hand, oldest first."""
        return [event for event in self._recent if event["id"] > after]

    async def listen(self, after: int | None = None) -> AsyncIterator[Event]:
        """Every event from now on, preceded by those after id `after` that are still at hand."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(LISTENER_QUEUE)
        missed = [] if after is None else self.since(after)
        self._listeners.add(queue)
        try:
            for event in missed:
                yield event
            while not self.closed and (queue in self._listeners or not queue.empty()):
                got = await queue.get()
                if got is None:
                    return
                yield got
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """End every stream and the journal; nothing is published afterwards."""
        self.closed = True
        for listener in list(self._listeners):
            while listener.full():
                listener.get_nowait()
            listener.put_nowait(None)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keep(self, event: Event) -> None:
        self._recent.append(event)
        if event["type"] in ("message", "turn"):
            self._kept[event["openid"]].append(event)

    def _read(self, journal: Path) -> None:
        if not journal.exists():
            return
        for line in journal.read_text("utf-8", errors="replace").splitlines():
            try:
                event = json.loads(line)
                self.last_id = max(self.last_id, event["id"])
                self._keep(event)
            except (ValueError, KeyError, TypeError):
                continue

    def _compact(self) -> None:
        if self._journal is None:
            return
        if self._file is not None:
            self._file.close()
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        kept = {event["id"]: event for events in (*self._kept.values(), self._recent) for event in events}
        temporary = self._journal.with_name(self._journal.name + ".tmp")
        with temporary.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(kept[id_], ensure_ascii=False) + "\n" for id_ in sorted(kept))
        temporary.replace(self._journal)
        self._file, self._lines = self._journal.open("a", encoding="utf-8"), len(kept)
