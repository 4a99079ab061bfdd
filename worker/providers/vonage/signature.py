"""How Vonage signs what it calls us with.

Source: developer.vonage.com/en/getting-started/concepts/signing-messages. The parameters but
``sig`` in the order of their names, each as ``&name=value`` with ``_`` for ``&`` and ``=`` in the
value; then either the MD5 of that and the secret, or an HMAC with the secret as its key. In
hexadecimal digits.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

# "MD5 hash", Vonage's default, is no HMAC.
MD5_HASH: Final = "md5hash"


def signature(fields: Mapping[str, str], secret: str, method: str) -> str:
    """The signature of ``fields``; ``method`` is ``md5hash``, or the hash of an HMAC."""
    own = {name: value for name, value in fields.items() if name != "sig"}
    plain = "".join(f"&{name}={_harmless(own[name])}" for name in sorted(own))
    if method == MD5_HASH:
        # As weak as it is, it is what Vonage computes unless the account says otherwise.
        return hashlib.md5((plain + secret).encode()).hexdigest()  # noqa: S324
    return hmac.new(secret.encode(), plain.encode(), method).hexdigest()


def is_signed(fields: Mapping[str, str], secret: str, method: str) -> bool:
    """Is ``sig`` the signature of the other fields? In constant time."""
    given = fields.get("sig", "").lower()
    return hmac.compare_digest(signature(fields, secret, method).encode(), given.encode())


def _harmless(value: str) -> str:
    return value.replace("&", "_").replace("=", "_")
