"""Markdown as data: headings, fenced blocks, what stands in backticks, links, tables."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @cached_property
    def text(self) -> str:
        """Return all of it."""
        return self.path.read_text("utf-8")

    @cached_property
    def prose(self) -> str:
        """Return the text without fenced blocks."""
        return FENCE.sub("", self.text)

    def blocks(self, language: str | None = None) -> list[str]:
        """Return the fenced blocks, of one language when given."""
        return [body for kind, body in FENCE.findall(self.text) if language in (None, kind)]

    def languages(self) -> list[str]:
        """Return the language of each fenced block."""
        return [kind for kind, _ in FENCE.findall(self.text)]

    def levels(self) -> list[int]:
        """Return the level of each heading."""
        return [len(marks) for marks in re.findall(r"^(#+) ", self.prose, re.M)]

    def rows(self) -> list[list[str]]:
        """Return the cells of each table row; a ruler is a row too."""
        return [line.strip("|").split(" | ") for line in self.prose.splitlines() if line.startswith("|")]

    def quoted(self) -> list[str]:
        """Return what stands in backticks."""
        return self.words(self.prose)

    @staticmethod
    def words(text: str) -> list[str]:
        """Return what stands in backticks in a piece of a page."""
        return re.findall(r"`([^`\n]+)`", text)

    def links(self) -> list[str]:
        """Return the targets of links to other files."""
        return [target for target in re.findall(r"\]\(([^)#\s]+)\)", self.prose) if "://" not in target]

    def commands(self) -> list[str]:
        """Return the lines of the shell blocks."""
        return [line for block in self.blocks("sh") for line in block.splitlines() if line.strip()]
