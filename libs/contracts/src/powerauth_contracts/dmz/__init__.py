"""The contract of the door that opens for the enrollment service alone (D1)."""
