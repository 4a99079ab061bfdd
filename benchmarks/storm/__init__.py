"""The storm: a day of reminders while everything around them is killed, cut, delayed and refused.

What the sandbox received is then compared with what the ledger says: nothing owed may be lost,
nothing may arrive twice, and nothing may be sent after a renewal or an opt-out.
"""
