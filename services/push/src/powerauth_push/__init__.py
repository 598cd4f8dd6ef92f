"""Push messages to phones over APNs, FCM and HMS (spec/push-api.md)."""
