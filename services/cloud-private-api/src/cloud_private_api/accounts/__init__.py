"""System users: their tables, and what is remembered of them."""
