"""Use case: send a batch of messages. Claim, look once more, render, send, record."""

from worker.delivery.dispatch import Delivery

__all__ = ["Delivery"]
