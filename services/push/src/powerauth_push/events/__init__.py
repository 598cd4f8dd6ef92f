"""What the core's events mean for registrations, and what phones are told of them (spec/push-api.md §7.1)."""
