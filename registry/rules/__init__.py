"""The rules: one file per group of kinds, all siblings, none importing another."""
