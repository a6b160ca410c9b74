"""Who is paid what, from which account, in which order."""
