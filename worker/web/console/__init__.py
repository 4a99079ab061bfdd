"""The console: what the keepers of cards look at in a browser, and decide there."""
