"""This service's own audit log: what is written into it."""
