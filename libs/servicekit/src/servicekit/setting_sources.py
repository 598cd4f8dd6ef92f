"""Where settings come from: variables, and the files that variables name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, PydanticBaseSettingsSource

from servicekit.start_rules import FILE_SUFFIX, Finding, StartRefused

_SERVICE_LINK_VALUE = re.compile(r"(?:tcp|udp|sctp)://")


class EnvironmentSource(EnvSettingsSource):
    """Leaves out what Kubernetes sets for a service named like ours: ``CORE_PORT=tcp://10.0.0.1:8080``.

    Settings are single values, so that of the many which nobody sets none is analysed.
    """

    def __call__(self) -> dict[str, Any]:
        """The values that are set."""
        named = {
            name: self.env_vars.get(f"{self.env_prefix}{name}".lower())
            for name in self.settings_cls.model_fields
        }
        return {
            name: value
            for name, value in named.items()
            if value is not None and not (name.endswith("port") and _SERVICE_LINK_VALUE.match(value))
        }


class FileSource(PydanticBaseSettingsSource):
    """Reads ``<PREFIX><FIELD>_FILE``: the path of a file that holds the value and a final newline."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The value of one setting.

        :raises StartRefused: the file cannot be read
        """
        variable = f"{self.config.get('env_prefix') or ''}{field_name}{FILE_SUFFIX}".upper()
        path = os.environ.get(variable)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except OSError as error:
            raise StartRefused(Finding(variable, f"{path}: {error.strerror}")) from None
        except UnicodeDecodeError:
            raise StartRefused(Finding(variable, f"{path} is no text in UTF-8")) from None

    def __call__(self) -> dict[str, Any]:
        """The values of all files that are named.

        :raises StartRefused: naming each that cannot be read
        """
        values: dict[str, Any] = {}
        findings: list[Finding] = []
        for name, field in self.settings_cls.model_fields.items():
            try:
                value, key, _ = self.get_field_value(field, name)
            except StartRefused as refused:
                findings += refused.findings
            else:
                if value is not None:
                    values[key] = value
        if findings:
            raise StartRefused(*findings)
        return values
