"""Design D: the bare client. The same payloads through the same SDKs and the same limit of calls,
with no queue, no database and no guarantee: what the wire alone allows.

`python -m benchmarks.throughput.bare STUB_URL IN_FLIGHT PAYLOADS` prints its processor seconds.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from worker.providers.base import EmailOut, SmsOut
from worker.providers.sendgrid.client import SendGridProvider
from worker.providers.sendgrid.settings import SendGridSettings
from worker.providers.transport import Transport
from worker.providers.twilio.client import TwilioProvider
from worker.providers.twilio.settings import TwilioSettings


async def _run(url: str, in_flight: int, payloads: list[dict[str, str]]) -> None:
    transport = Transport(connections=2 * in_flight)
    sms = TwilioProvider(TwilioSettings("AC", "token", "+15005550006", url), transport)
    email = SendGridProvider(
        SendGridSettings("SG.key", "from@example.com", url), transport, lambda: datetime.now(UTC)
    )
    slots = asyncio.Semaphore(in_flight)

    async def send(one: dict[str, str]) -> None:
        async with slots:
            if "html" in one:
                await email.send(EmailOut(uuid4(), one["to"], "Vigencia", one["subject"],
                                          one["text"], one["html"]))  # fmt: skip
            else:
                await sms.send(SmsOut(uuid4(), one["to"], one["text"], timedelta(days=1)))

    await asyncio.gather(*(send(one) for one in payloads))
    await transport.close()


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[3]).read_text("utf-8"))
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.process_time()
    asyncio.run(_run(sys.argv[1], int(sys.argv[2]), given))
    print(time.process_time() - began, flush=True)
