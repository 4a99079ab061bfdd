"""What the pages of the console read: each read shows the books of its viewer, and a page of it."""
