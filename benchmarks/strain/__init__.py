"""What goes wrong at scale, played on the real program: slow and dead providers, bursts, limits."""
