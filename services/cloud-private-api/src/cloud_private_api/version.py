"""The version of this service."""

from importlib.metadata import version

VERSION = version("powerauth-cloud")
