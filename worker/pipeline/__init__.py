"""The work: what is owed is found, sent, followed up, and answered."""
