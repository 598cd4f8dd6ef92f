"""Messages that users read in the app."""
