"""What would be sent on which day: the rules replayed in memory; nothing is sent or written."""
