"""Accounts of the console: passwords, links of one use, sessions, and who may do what."""
