"""Administration of passkeys: the policy and its impact on users, lists, numbers."""
