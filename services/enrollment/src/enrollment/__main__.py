"""Serve: ``python -m enrollment``."""

from __future__ import annotations

from servicekit.loading import loading

with loading():
    from enrollment.app import NAME, create_app
    from enrollment.settings import EnrollmentSettings
    from servicekit.app import serve
    from servicekit.startup import serving_settings, told_without_traceback


def main() -> None:
    """Serve on the configured host and port until the process is told to stop."""
    with told_without_traceback():
        settings = serving_settings(EnrollmentSettings, NAME)
        serve(create_app(settings), settings)


if __name__ == "__main__":
    main()
