# SPDX-License-Identifier: Apache-2.0
"""The files that `licence build` writes."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.licensing.building import Built
    from registry.licensing.report import Report


def artefacts(built: "Built", report: "Report") -> dict[str, str]:
    """Everything made from a licence, as text by file name."""
    from registry.licensing.building import units
    from registry.licensing.net import net_of
    from registry.licensing.odrl import to_odrl
    from registry.licensing.pictures import dot, svg
    from registry.licensing.pnml import pnml

    net, title = net_of(built.licence), built.licence.title
    kernels = [
        {"file": one.file, "line": one.line, "condition": one.condition, "verdict": str(one.verdict)}
        for one in built.kernels
    ]
    return {
        "licence.txt": built.text,
        "Licence.sol": built.source,
        "sources.json": _json(units(built.source)),
        "abi.json": _json(list(built.abi)),
        "creation.hex": built.creation.hex() + "\n",
        "runtime.hex": built.runtime.hex() + "\n",
        "report.json": _json({**report.row(), "text": str(built.digest), "kernels": kernels}),
        "licence.odrl.json": _json(to_odrl(built.licence)),
        "net.pnml": pnml(net, title),
        "net.dot": dot(net, title),
        "licence.svg": svg(net, title),
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
