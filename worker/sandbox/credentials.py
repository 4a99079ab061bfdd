"""The only credentials the sandbox accepts. They open nothing anywhere else."""

from collections.abc import Mapping
from typing import Final

ACCOUNT_SID: Final = "AC00000000000000005a4db0c500000000"
AUTH_TOKEN: Final = "sandbox-token"  # noqa: S105  public by design
API_KEY: Final = "SG.sandbox-key"
MESSAGING_SERVICE_SID: Final = "MG00000000000000005a4db0c500000000"
# Twilio: test credentials name this number as one that may send.
SENDER: Final = "+15005550006"
# What a Vonage account is called with, and what it signs with what it calls us.
VONAGE_KEY: Final = "5a4db0c5"
VONAGE_SECRET: Final = "sandbox-secret"  # noqa: S105  public by design
VONAGE_SIGNATURE_SECRET: Final = "sandbox-signature-secret"  # noqa: S105  public by design
# The sender of emails where none is set.
EMAIL_SENDER: Final = "reminders@example.com"
# What the sandbox's events are signed with (a scalar on P-256), and its other half in base64.
EVENTS_PRIVATE_KEY: Final = 0x5A4DB0C55A4DB0C55A4DB0C55A4DB0C5
EVENTS_PUBLIC_KEY: Final = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQRH/pjl3dUDTW1n7/Z046YMJ+GH8z/cRs6gQKfBjczJkAavZ"
    "xM0Qxg1NGDuD3EV+aHz+leBSo7q7OHTg+o4zmA=="
)

# The settings of a provider, by their names without its own, with which it is played here.
SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "twilio": {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "from": SENDER},
    "vonage": {
        "api_key": VONAGE_KEY,
        "api_secret": VONAGE_SECRET,
        "signature_secret": VONAGE_SIGNATURE_SECRET,
        "from": SENDER,
    },
    "sendgrid": {
        "api_key": API_KEY,
        "from": EMAIL_SENDER,
        "webhook_key": EVENTS_PUBLIC_KEY,
    },
}

# What somebody sets who wants to send here.
SHOWN: Final = (
    f"TWILIO_ACCOUNT_SID={ACCOUNT_SID} TWILIO_AUTH_TOKEN={AUTH_TOKEN}",
    f"VONAGE_API_KEY={VONAGE_KEY} VONAGE_API_SECRET={VONAGE_SECRET}",
    f"SENDGRID_API_KEY={API_KEY}",
)

# What links are signed with while nothing leaves this machine.
SECRET_KEY: Final = "sandbox-links-sandbox-links-sandbox"  # noqa: S105  public by design

HOST: Final = "127.0.0.1"
PORT: Final = 8825
