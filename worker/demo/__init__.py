"""The demonstration: 45 days of a real card book through the real line, in under a minute."""
