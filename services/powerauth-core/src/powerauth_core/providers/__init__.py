"""Plug-ins and providers of the operator, and OpenID Connect."""
