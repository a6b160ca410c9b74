"""The demonstration: the whole story on the 584-claim pool, over real HTTP."""
