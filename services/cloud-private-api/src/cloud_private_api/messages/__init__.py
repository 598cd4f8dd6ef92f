"""Messages of a bank to the phones of a user."""
