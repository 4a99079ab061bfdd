"""The web process: what providers and holders tell us over HTTP."""
