"""The operator's settings: one field each, with a documented default, read from flags and environment.

A flag `--write-rate` and the variable `AUDITPIPELINE_WRITE_RATE` set `write_rate`; the flag wins.
"""

import argparse
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

PREFIX: Final = "AUDITPIPELINE_"
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("plain", "json")


class InvalidSetting(ValueError):  # noqa: N818  (reads as a noun where it is raised)
    """A flag or variable has a value that its setting does not allow; the text names it."""


def _setting(default: Any, doc: str, *, choices: tuple[str, ...] = (), least: float | None = None) -> Any:
    return field(default=default, metadata={"help": doc, "choices": choices, "least": least})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Times are seconds, rates are requests a second."""

    kubeconfig: str = _setting("", "kubeconfig file; default: the pod's own credentials, else KUBECONFIG, else ~/.kube/config")
    context: str = _setting("", "context of the kubeconfig; default: its current one")
    log_format: str = _setting("plain", "how log lines look", choices=LOG_FORMATS)
    log_level: str = _setting("info", "the least severe log lines that are written", choices=LOG_LEVELS)
    health_host: str = _setting("0.0.0.0", "address on which /livez, /readyz and /metrics are served")  # noqa: S104  (the kubelet asks the pod's address)
    health_port: int = _setting(8080, "port of the same; 0 takes a free one and logs it", least=0)
    workers: int = _setting(12, "pipelines judged and written at the same time", least=1)
    write_rate: float = _setting(100.0, "status writes a second, in the long run", least=0.1)
    write_burst: int = _setting(200, "status writes that may pass at once after a rest", least=1)
    write_timeout: float = _setting(3.0, "how long one status write may take", least=0.1)
    review_rate: float = _setting(10.0, "access reviews a second, in the long run", least=0.1)
    review_burst: int = _setting(20, "access reviews that may pass at once after a rest", least=1)
    review_concurrency: int = _setting(4, "access reviews in flight", least=1)
    review_confirm_delay: float = _setting(
        1.0,
        "an answer that contradicts the rules is asked again after this time, for the API server's authorizer lags its writes",
        least=0,
    )
    resync_interval: float = _setting(
        900.0, "how often the keys of each kind are listed and compared with what the watches told", least=10
    )
    glance_interval: float = _setting(30.0, "how often one AuditPipeline is read to see that its watch lives", least=1)
    forbidden_retry: float = _setting(30.0, "how often a list that is forbidden is tried again", least=1)
    stop_timeout: float = _setting(
        2.0, "how long a stop waits for the watches to end; they hold nothing that needs more", least=0
    )

    @classmethod
    def add_flags(cls, parser: argparse.ArgumentParser) -> None:
        """Declare a flag for each setting."""
        for item in dataclasses.fields(cls):
            default = f" (default {item.default})" if item.default != "" else ""
            kind = {str: "TEXT", int: "NUMBER", float: "NUMBER"}[type(item.default)]
            parser.add_argument(
                f"--{item.name.replace('_', '-')}",
                metavar="|".join(item.metadata["choices"]) or kind,
                help=f"{item.metadata['help']}{default}; variable {PREFIX}{item.name.upper()}",
            )

    @classmethod
    def read(cls, flags: Mapping[str, Any], environment: Mapping[str, str]) -> Self:
        """Settings from parsed flags (None or absent: not given), then variables, then defaults.

        Raises:
            InvalidSetting: A value has the wrong type or is out of range.
        """
        values: dict[str, Any] = {}
        for item in dataclasses.fields(cls):
            given = flags.get(item.name)
            if given is not None:
                values[item.name] = _value(item, str(given), f"--{item.name.replace('_', '-')}")
            elif (variable := PREFIX + item.name.upper()) in environment:
                values[item.name] = _value(item, environment[variable], variable)
        return cls(**values)


def _value(item: "dataclasses.Field[Any]", text: str, where: str) -> Any:
    """The setting's value, of its default's type."""
    try:
        kind: type[Any] = type(item.default)
        value = kind(text)
    except ValueError:
        raise InvalidSetting(f"{where} must be a number") from None
    choices, least = item.metadata["choices"], item.metadata["least"]
    if choices and value not in choices:
        raise InvalidSetting(f"{where} must be one of {', '.join(choices)}")
    # Written this way round so that "nan" is refused too.
    if least is not None and not value >= least:
        raise InvalidSetting(f"{where} must be at least {least}")
    return value
