"""Use case: send a batch of messages. Claim, look once more, render, send, record."""

from worker.pipeline.delivery.assembly import open_delivery
from worker.pipeline.delivery.dispatch import Delivery

__all__ = ["Delivery", "open_delivery"]
