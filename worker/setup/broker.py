"""The queue: dramatiq on Redis. A message is a hint that carries ids; losing it costs one sweep."""

from typing import Any

import redis
from dramatiq import Message
from dramatiq.broker import Consumer
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import dq_name
from dramatiq.middleware import AsyncIO, Callbacks, Retries, ShutdownNotifications, TimeLimit
from dramatiq.middleware.age_limit import AgeLimit
from pydantic import SecretStr

from worker.errors import UnreachableError

NAMESPACE = "vigencia"
# One for each kind of work: a slow one keeps no other waiting.
JOBS = "jobs"
QUEUES = ("checks", "sms", "email", "reconcile", JOBS)

_WRONG_PASSWORD = ("NOAUTH", "WRONGPASS", "invalid username-password", "invalid password")

# A hint older than this was overtaken by the sweep long ago.
_OLDEST_HINT_MS = 3_600_000
_LONGEST_JOB_MS = 600_000


# How often an idle worker asks for hints that are to be tried again, in milliseconds. They wait for
# a second at least, and what is hardly ever there need not be asked for as often as the rest.
_DELAYED_POLL_MS = 1_000


class _Broker(RedisBroker):
    """dramatiq's, but it asks rarely for what is delayed."""

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Each queue has a delayed one beside it, and dramatiq would ask both equally often."""
        if queue_name == dq_name(queue_name):
            timeout = max(timeout, _DELAYED_POLL_MS)
        return super().consume(queue_name, prefetch, timeout)


def open_broker(url: str) -> RedisBroker:
    """A broker on the Redis or Valkey at ``url`` (``redis://``, ``rediss://``, ``unix://``);
    connects on first use."""
    return _Broker(  # type: ignore[no-untyped-call]
        url=url,
        namespace=NAMESPACE,
        # How often in a million commands a killed worker's messages are looked for: with the
        # default of 1,000 they do not come back on a quiet queue for many minutes.
        maintenance_chance=100_000,
        middleware=[
            AgeLimit(max_age=_OLDEST_HINT_MS),
            TimeLimit(time_limit=_LONGEST_JOB_MS),
            ShutdownNotifications(),
            Callbacks(),
            # Only for what nobody expects (a bug, a database away): sends are retried in SQL.
            Retries(max_retries=2, min_backoff=1_000, max_backoff=10_000),
            AsyncIO(),
        ],
    )


def hint_job(broker: RedisBroker, job_id: int) -> None:
    """Have a worker look at the job now; without this, or if it is lost, the next tick finds it.
    Raises ``redis.RedisError`` or ``DramatiqError``."""
    broker.declare_queue(JOBS)
    broker.enqueue(
        Message(queue_name=JOBS, actor_name="work_jobs", args=([job_id],), kwargs={}, options={})
    )


def hints_left(broker: RedisBroker) -> int:
    """How many hints are in the queue or in a worker's hands, those to be tried again included.
    Raises ``redis.RedisError``."""
    names = [f"{NAMESPACE}:{name}.msgs" for queue in QUEUES for name in (queue, dq_name(queue))]
    return sum(int(broker.client.hlen(name)) for name in names)


def require_queue(url: SecretStr | None) -> str:
    """The queue's address, once it answers. Raises ``UnreachableError`` with the next step."""
    if url is None:
        raise UnreachableError(
            "REDIS_URL is not set.",
            "Set it to a Redis or Valkey server, or run `vigencia up`, which brings its own.",
        )
    address = url.get_secret_value()
    try:
        client = redis.Redis.from_url(address, socket_connect_timeout=5)
        client.ping()
        client.close()
    except ValueError:
        raise UnreachableError(
            "REDIS_URL is not a Redis address.", "Write redis://host:6379/0 or unix:///path."
        ) from None
    except redis.RedisError as error:
        raise _refusal(error) from None
    except OSError as error:
        raise _away(error) from None
    return address


def _refusal(error: redis.RedisError) -> UnreachableError:
    """A server that answers and will not have us is another matter than one that is away."""
    words = str(error)
    if isinstance(error, redis.AuthenticationError) or words.startswith(_WRONG_PASSWORD):
        return UnreachableError(
            "The queue at REDIS_URL refuses the user or password.",
            "Correct them in REDIS_URL: redis://:password@host:6379/1, with @ written as %40.",
        )
    if isinstance(error, redis.exceptions.NoPermissionError):
        return UnreachableError(
            "The queue at REDIS_URL does not let this user work.",
            "Give the user of REDIS_URL all commands on its keys (ACL SETUSER).",
        )
    if "DB index" in words:
        return UnreachableError(
            "The queue at REDIS_URL has no database of this number.",
            "Write a smaller number at the end of REDIS_URL, such as redis://host:6379/1.",
        )
    return _away(error)


def _away(error: Exception) -> UnreachableError:
    return UnreachableError(
        f"The queue at REDIS_URL does not answer: {type(error).__name__}.",
        "Start Redis or Valkey, or unset REDIS_URL and run `vigencia up`. Nothing was lost.",
    )


_REPLICA = ("the server at REDIS_URL is a read-only replica", "set REDIS_URL to the primary server")
_NO_RIGHTS = (
    "the user of REDIS_URL may not do what a queue needs",
    "give it the rights of docs/deployment.md, The queue (ACL SETUSER)",
)


def trouble(url: SecretStr) -> tuple[str, str] | None:
    """Why a queue that answers takes no messages, and what to do; ``None`` if it does."""
    client: Any = redis.Redis.from_url(url.get_secret_value(), socket_connect_timeout=5)
    with client:
        try:
            # What every hint does, on a name that is not there: nothing changes.
            client.delete(f"{NAMESPACE}:nothing")
            client.eval("return 1", 1, NAMESPACE)
        except redis.ReadOnlyError:
            return _REPLICA
        except redis.exceptions.NoPermissionError:
            return _NO_RIGHTS
        except redis.ResponseError as error:  # such as MISCONF, where its disk is full
            told = f"the server at REDIS_URL takes no changes ({str(error)[:60]})"
            return told, "see the server's log; nothing is lost meanwhile"
        try:
            memory = client.info("memory")
        except (redis.RedisError, OSError):  # a user who may not ask: then nobody knows
            return None
    most = int(memory.get("maxmemory", 0))
    if most and int(memory.get("used_memory", 0)) >= most:
        hint = "raise maxmemory, or give the queue a server of its own; nothing is lost meanwhile"
        return "the memory of the server at REDIS_URL is full", hint
    if most and memory.get("maxmemory_policy", "noeviction") != "noeviction":
        return (
            f"the server at REDIS_URL throws keys away ({memory['maxmemory_policy']})",
            "set maxmemory-policy to noeviction",
        )
    return None
