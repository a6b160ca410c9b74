"""Reports that boards and regulators ask for: tables with totals, and checks that can fail.

Each is told as of one size of the log, so whoever asks again as of that size reads the
same. What is added up from rows is checked against what the ledger says of itself.
"""
