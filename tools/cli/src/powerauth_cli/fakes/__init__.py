"""Fake providers of push messages that speak the real protocols over TLS (spec/push-api.md §28.6).

They are as strict as the real ones, misbehave on demand, and tell what a phone would show: `powerauth fakes
push`.
"""
