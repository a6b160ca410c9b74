"""Routes: translate, call, translate; no rule lives here."""
