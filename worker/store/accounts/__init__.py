"""The people who look at the console: their names and rights, and who is signed in."""
