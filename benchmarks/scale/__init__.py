"""What ten million cards cost: filling, ticks, checks, policies, imports, plans."""
