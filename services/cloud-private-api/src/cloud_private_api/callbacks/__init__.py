"""Callbacks to the bank: administration; the core delivers them."""
