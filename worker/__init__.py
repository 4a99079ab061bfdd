"""Vigencia: reminders before a prepaid SIM card or eSIM in Peru runs out."""

__version__ = "0.1.0"
