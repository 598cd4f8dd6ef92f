"""Tickets by which a caller vouches for a user whose device is to be bound."""
