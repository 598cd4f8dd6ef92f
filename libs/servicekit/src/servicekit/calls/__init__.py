"""Calls to other services of ours."""
