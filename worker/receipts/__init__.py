"""Use cases: what providers report, and asking them about what they did not."""

from worker.receipts.apply import Receipts
from worker.receipts.fetch import Fetching
from worker.receipts.listen import Listening
from worker.receipts.reconcile import Reconciliation

__all__ = ["Fetching", "Listening", "Receipts", "Reconciliation"]
