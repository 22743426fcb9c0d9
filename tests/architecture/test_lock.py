# SPDX-License-Identifier: Apache-2.0
"""Nothing that `make demo` installs has to be compiled: every locked run-time package has a wheel for this machine."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

Packages = dict[str, list[dict[str, object]]]


@pytest.fixture(scope="module")
def locked(root: Path) -> Packages:
    """Packages of uv.lock by name; a name may have several versions."""
    found: Packages = {}
    for package in tomllib.loads((root / "uv.lock").read_text("utf-8"))["package"]:
        found.setdefault(package["name"], []).append(package)
    return found


def test_run_time_packages_have_wheels(locked: Packages) -> None:
    tags = frozenset(sys_tags())
    needed = _closure(locked, "exequatur")
    assert len(needed) > 20
    versions = [version for name in needed - {"exequatur"} for version in locked[name] if _is_ours(version)]
    assert not [version["name"] for version in versions if not _has_wheel(version, tags)]


def test_lock_names_no_index_but_the_public_one(root: Path) -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (root / "uv.lock").read_text("utf-8")))
    assert hosts <= {"pypi.org", "files.pythonhosted.org"}


def _closure(locked: Packages, start: str) -> set[str]:
    reached, waiting = set(), [start]
    while waiting:
        if (name := waiting.pop()) in reached:
            continue
        reached.add(name)
        waiting += [needed for version in locked[name] for needed in _needs(version)]
    return reached


def _is_ours(package: dict[str, object]) -> bool:
    """Whether this Python gets this version, where the lock keeps several."""
    markers = package.get("resolution-markers", [])
    assert isinstance(markers, list)
    return not markers or any(Marker(marker).evaluate() for marker in markers)


def _needs(package: dict[str, object]) -> list[str]:
    listed = package.get("dependencies", [])
    assert isinstance(listed, list)
    return [
        entry["name"] for entry in listed if Marker(entry.get("marker", "python_version > '3'")).evaluate()
    ]


def _has_wheel(package: dict[str, object], tags: frozenset[object]) -> bool:
    wheels = package.get("wheels", [])
    assert isinstance(wheels, list)
    names = (wheel["url"].rsplit("/", 1)[1] for wheel in wheels)
    return any(parse_wheel_filename(name)[3] & tags for name in names)
