"""A stand-in for the APIs of Twilio, Vonage and SendGrid: strict, stateful, with faults.

It runs as its own process, keeps what it accepted in memory and shows it under ``/sandbox/``.
"""
