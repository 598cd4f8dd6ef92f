"""What providers' answers mean. Pure (spec/push-api.md §10.5, §11.4, §12.3).

A fault of our credentials or of a payload never ends a registration.
"""
