"""The isolated core: activation state, keys, verification."""

from importlib.metadata import version

__version__ = version("powerauth-core")
