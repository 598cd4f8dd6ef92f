"""Protocol upgrade."""
