"""Kinds of clearing: the plan of a due date, banks' reports, the end of the day."""
