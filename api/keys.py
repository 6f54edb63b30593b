"""API keys: made, listed and revoked; `auth.py` asks for them."""

from __future__ import annotations

from api.opened import Opened
from retrieval.store.keys import Key


class Keys(Opened):
    """What can be done with API keys."""

    def create_key(self, name: str) -> tuple[Key, str]:
        """Make an API key; returns it with the text that clients send, which is kept nowhere.

        From the first key on, servers on this folder demand one.
        """
        with self.store.write() as tables:
            return tables.keys.add(name)

    def api_keys(self) -> list[Key]:
        """Every API key ever made, oldest first."""
        with self.store.read() as view:
            return view.keys.all()

    def revoke_key(self, key_id: str) -> Key:
        """End an API key; running servers refuse it from the next request on.

        Raises:
            NotFound: there is no such key.
            Conflict: it was revoked before.
        """
        with self.store.write() as tables:
            return tables.keys.revoke(key_id)
