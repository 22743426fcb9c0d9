# SPDX-License-Identifier: Apache-2.0
"""Our top-level import names are ours alone, and are what is imported."""

import importlib
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PACKAGES = ("contracts", "registry", "enclave", "cli")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_owns_the_name(package: str) -> None:
    assert set(packages_distributions().get(package, ["exequatur"])) == {"exequatur"}
    assert package not in sys.stdlib_module_names


@pytest.mark.parametrize("package", PACKAGES)
def test_name_imports_this_checkout(package: str, root: Path) -> None:
    assert importlib.import_module(package).__file__ == str(root / package / "__init__.py")
