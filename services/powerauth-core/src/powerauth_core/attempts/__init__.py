"""How often strangers may try, and what they have tried (spec/device-trust.md §0.4, §1.4)."""
