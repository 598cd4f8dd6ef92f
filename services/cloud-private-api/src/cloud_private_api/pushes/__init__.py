"""Push messages that this service owes to users: an outbox of its own, and who sends what is in it."""
