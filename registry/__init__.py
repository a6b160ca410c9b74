"""Who holds what, and how do you prove it: statements, log, proofs, state, rules."""
