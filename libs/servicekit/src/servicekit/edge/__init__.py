"""What stands around and in front of an application's routes."""
