"""Drafts: statements before they are signed."""

from dataclasses import dataclass, field
from typing import Any

from registry.canonical import Json
from registry.signing import PrivateKey
from tests.builders import World


@dataclass(slots=True, kw_only=True)
class Draft:
    """A statement before it is signed.

    Attributes:
        by: The signer's short name.
        kind: The statement's kind.
        body: Its body.
        re: What it answers.
        key: The key that signs, if it is not the signer's.
        time: The instant of the decision, in milliseconds; 0 for the world's own. Another
            one is decided over the state of now, as if no deadline had been sealed.
        odd: Members of the envelope that differ from the usual.
    """

    by: str
    kind: str
    body: dict[str, Json] = field(default_factory=dict)
    re: str | None = None
    key: PrivateKey | None = None
    time: int = 0
    odd: dict[str, Any] = field(default_factory=dict)

    def sign(self, world: World) -> str:
        """Signs the draft."""
        return world.sign(self.by, self.kind, self.body, re=self.re, key=self.key, **dict(self.odd))
