"""What every PowerAuth service shares."""
