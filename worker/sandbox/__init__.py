"""A stand-in for Twilio's Messages API and SendGrid's mail/send: strict, stateful, with faults.

It runs as its own process, keeps what it accepted in memory and shows it under ``/sandbox/``.
"""
