"""Use cases: a holder answers a message through its link, without an account.

What stands behind a link is looked up again each time: it may have been answered already, or have
become impossible, or belong to somebody else by now.
"""
