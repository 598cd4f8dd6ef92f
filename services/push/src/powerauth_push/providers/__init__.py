"""APNs, FCM and HMS on the wire (spec/push-api.md §10 to §14): no database, no HTTP API.

From pure to I/O: `messages` and `outcomes` are the values.
"""
