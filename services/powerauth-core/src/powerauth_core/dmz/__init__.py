"""The door of the enrollment service, /dmz/v1."""
