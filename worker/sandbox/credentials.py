"""The only credentials the sandbox accepts. They open nothing anywhere else."""

from typing import Final

ACCOUNT_SID: Final = "AC00000000000000005a4db0c500000000"
AUTH_TOKEN: Final = "sandbox-token"  # noqa: S105  public by design
API_KEY: Final = "SG.sandbox-key"
MESSAGING_SERVICE_SID: Final = "MG00000000000000005a4db0c500000000"
# Twilio: test credentials name this number as one that may send.
SENDER: Final = "+15005550006"

HOST: Final = "127.0.0.1"
PORT: Final = 8825
URL: Final = f"http://{HOST}:{PORT}"
