"""Who carries a message: one protocol, several providers, one pooled transport under them all."""
