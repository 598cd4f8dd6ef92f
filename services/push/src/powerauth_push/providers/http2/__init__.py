"""The HTTP/2 sender that APNs and FCM share: few long connections, many requests at a time on each.

`connection` is the protocol without I/O on the library h2, `transport` puts it on a socket, `dialling` makes
that socket (through a proxy too), `sender` keeps connections and gives every request an end in time.
"""
