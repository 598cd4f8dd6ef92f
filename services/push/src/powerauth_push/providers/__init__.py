"""APNs, FCM and HMS on the wire (spec/push-api.md §10 to §14): no database, no HTTP API.

From pure to I/O: `messages` and `outcomes` are the values, `payloads` words a message for each provider,
`answers` reads what a provider said, `credentials` checks keys, `http2` is the sender that APNs and FCM
share, `apns`, `fcm` and `hms` are the clients, and `delivery` repeats what may be repeated.
"""
