"""The contracts that ship with the product, newest first."""

from functools import cache
from pathlib import Path
from typing import Final

from auditpipeline.contracts.model import Contract, parse_contract

NAMES: Final = ("kubernaut-v1", "kubernaut-2026-01", "kubernaut-2026-01-noauth")
AUTO: Final = "auto"
# Beside this module in every installation; importlib.resources would cost a run a tenth of its time.
_DATA: Final = Path(__file__).parent / "data"


@cache
def builtin_contracts() -> tuple[Contract, ...]:
    """All built-in contracts, newest first."""
    return tuple(contract(name) for name in NAMES)


@cache
def contract(name: str) -> Contract:
    """One built-in contract.

    Raises:
        KeyError: No contract has that name.
    """
    if name not in NAMES:
        raise KeyError(name)
    return parse_contract((_DATA / f"{name}.yaml").read_text("utf-8"))
