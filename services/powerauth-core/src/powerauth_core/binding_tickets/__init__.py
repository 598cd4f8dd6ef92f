"""Tickets by which the bank's backend vouches for a user whose device is bound (device-trust §1.9)."""
