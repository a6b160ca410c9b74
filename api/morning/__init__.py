"""What each reads every morning: piles of what waits, one small function each, by role.

A pile counts exactly and shows its first lines. It is found by index, or by counts and
sums that the store adds up itself; no pile looks at more than `LOOKED_MAX` rows to show
some, nothing blocks the writer, and nobody reads of what it may not see.

Source: reference note 25.
"""
