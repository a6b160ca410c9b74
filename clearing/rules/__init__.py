"""Kinds of clearing: the plan of a due date, and the banks' confirmations."""
