"""Callback URLs and their delivery."""
