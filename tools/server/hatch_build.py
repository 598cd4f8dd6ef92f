"""What `powerauth-server` asks for: parts of its own release and no other."""

from __future__ import annotations

from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Pins(MetadataHookInterface):
    """Pins the parts that `pyproject.toml` lists to the version of the package; `all` is every extra."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in `dependencies` and `optional-dependencies`."""
        release = metadata["version"]

        def pinned(names: list[str]) -> list[str]:
            return [f"{name}=={release}" for name in names]

        extras = {name: pinned(parts) for name, parts in self.config["extras"].items()}
        every = {requirement for requirements in extras.values() for requirement in requirements}
        metadata["dependencies"] = pinned(self.config["parts"])
        metadata["optional-dependencies"] = {**extras, "all": sorted(every)}
