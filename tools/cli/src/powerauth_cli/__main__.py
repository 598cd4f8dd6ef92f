"""`python -m powerauth_cli` is `powerauth`."""

from servicekit.loading import loading

with loading():
    from powerauth_cli.main import app

if __name__ == "__main__":
    app()
