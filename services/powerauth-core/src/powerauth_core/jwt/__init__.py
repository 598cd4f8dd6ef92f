"""Signed tokens of OpenID Connect and OAuth 2: keys, clients, sessions, what is issued and what is accepted
(spec/device-trust.md §2). The MAC tokens of PowerAuth are another thing, in `tokens`.
"""
