"""Hot reads of system users (CONTRIBUTING.md, a hot read)."""

from servicekit.reads import Read

FIND = Read(
    """SELECT u.id, u.username, u.userpassword, u.enabled,
        (SELECT json_agg(a.authority)::text FROM pa_cloud_user_authority a WHERE a.user_id = u.id),
        (SELECT json_agg(a.app_id)::text FROM pa_cloud_user_application a WHERE a.user_id = u.id)
    FROM pa_cloud_user u WHERE u.username = $1""",
    ("varchar",),
)
"""A user with all that hangs on it; one read for all who ask at the same time."""
