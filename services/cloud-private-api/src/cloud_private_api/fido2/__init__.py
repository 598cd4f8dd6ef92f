"""Passkeys as the bank's backend relays them."""
