"""Use cases: what providers report, and asking them about what they did not."""

from worker.pipeline.receipts.apply import Receipts
from worker.pipeline.receipts.fetch import Fetching
from worker.pipeline.receipts.listen import Listening
from worker.pipeline.receipts.reconcile import Reconciliation

__all__ = ["Fetching", "Listening", "Receipts", "Reconciliation"]
