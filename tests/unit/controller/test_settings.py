"""Flags win over variables, variables over defaults, and nonsense is refused with its name."""

import argparse
import dataclasses

import pytest

from auditpipeline.controller.settings import InvalidSetting, Settings


def read(*flags: str, **environment: str) -> Settings:
    parser = argparse.ArgumentParser()
    Settings.add_flags(parser)
    return Settings.read(vars(parser.parse_args(flags)), environment)


def test_without_anything_all_is_default() -> None:
    assert read() == Settings()


def test_a_variable_sets_and_a_flag_wins() -> None:
    assert read(AUDITPIPELINE_WRITE_RATE="7.5").write_rate == 7.5
    assert read("--write-rate", "9", AUDITPIPELINE_WRITE_RATE="7.5").write_rate == 9.0


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("WORKERS", "many", "AUDITPIPELINE_WORKERS must be a number"),
        ("WORKERS", "0", "AUDITPIPELINE_WORKERS must be at least 1"),
        ("WRITE_RATE", "nan", "AUDITPIPELINE_WRITE_RATE must be at least 0.1"),
        ("LOG_FORMAT", "xml", "AUDITPIPELINE_LOG_FORMAT must be one of plain, json"),
    ],
)
def test_nonsense_is_refused_by_name(variable: str, text: str, problem: str) -> None:
    with pytest.raises(InvalidSetting, match=problem):
        read(**{f"AUDITPIPELINE_{variable}": text})


def test_each_setting_is_documented() -> None:
    parser = argparse.ArgumentParser()
    Settings.add_flags(parser)
    text = " ".join(parser.format_help().split())
    for item in dataclasses.fields(Settings):
        assert f"--{item.name.replace('_', '-')}" in text
        assert item.metadata["help"]
