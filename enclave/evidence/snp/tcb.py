# SPDX-License-Identifier: Apache-2.0
"""Lines of AMD processors, and what the bytes of a TCB_VERSION mean on each (AMD 56860, chapter 2; AMD 57230, chapter 3)."""

from dataclasses import dataclass
from enum import Enum

from enclave.evidence.facts import Claim, Claims

_OLD = (("bootloader", 1), ("tee", 2), ("", 4), ("", 5), ("", 6), ("", 7), ("snp", 3), ("microcode", 8))
_NEW = (("fmc", 9), ("bootloader", 1), ("tee", 2), ("snp", 3), ("", 5), ("", 6), ("", 7), ("microcode", 8))


class Product(Enum):
    """A line that AMD signs for with one root; Bergamo and Siena are of Genoa's.

    `layout` names the eight bytes of a TCB_VERSION, lowest first, beside the last arc of the extension of an
    endorsement certificate that holds the same component; `hwid` is how many bytes of a chip's id say something.
    """

    MILAN = ("Milan", _OLD, 64)
    GENOA = ("Genoa", _OLD, 64)
    TURIN = ("Turin", _NEW, 8)

    def __init__(self, label: str, layout: tuple[tuple[str, int], ...], hwid: int) -> None:
        self.label = label
        self.layout = layout
        self.hwid = hwid

    @classmethod
    def named(cls, name: str) -> "Product | None":
        """The line of a productName extension such as `Milan-B0`, `genoa` or `Siena-A0`."""
        return _NAMES.get(name.partition("-")[0].casefold())

    @classmethod
    def of_cpuid(cls, family: int, model: int) -> "Product | None":
        """The line of a combined CPUID family and model."""
        return next((line for start, line in _MODELS if start == (family, model >> 4)), None)


_NAMES = {line.label.casefold(): line for line in Product}
_NAMES |= {"bergamo": Product.GENOA, "siena": Product.GENOA}
_MODELS = (
    ((0x19, 0x0), Product.MILAN),
    ((0x19, 0x1), Product.GENOA),
    ((0x19, 0xA), Product.GENOA),
    ((0x1A, 0x0), Product.TURIN),
    ((0x1A, 0x1), Product.TURIN),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcb:
    """Security versions of a platform's firmware: eight bytes, to be read by the line they are of."""

    raw: bytes
    product: Product

    @property
    def components(self) -> tuple[tuple[str, int, int], ...]:
        """Name (empty where reserved), arc of the certificate's extension, and value, of each byte."""
        return tuple(
            (name, arc, value) for (name, arc), value in zip(self.product.layout, self.raw, strict=True)
        )

    def claims(self) -> Claims:
        """The components that have a name."""
        named: dict[str, Claim] = {name: value for name, _, value in self.components if name}
        return named

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, _, value in self.components if name)
