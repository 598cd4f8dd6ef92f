"""Who calls, and what they may see (spec/cloud-api.md §1.3, §1.4)."""
