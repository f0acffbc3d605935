#!/usr/bin/env python3
"""Measure `auditpipeline check` against PyYAML alone and against its peers, in time and in faults found.

    python bench/check.py [--runs 5] [--peers all|none] [--out build/bench-check.json]

Time: each tool is a whole process on the same generated files, the tools in turn, several times; the table shows medians.
Processor time (user and system) is the measure, as wall time says more about the machine's other work; one slow
machine slows PyYAML's parse of the same run as well, so the bars are ratios to that.
Faults: `pipelines.py faults` has one clean pipeline and twelve with one fault each. We must name exactly the reason that is
expected. A peer finds a fault where a check of it fails on an object that it passed in the clean pipeline.

Peers are installed once, into `${XDG_CACHE_HOME:-~/.cache}/auditpipeline/peers`. One that cannot be had is a row that says
why. Exit code 1 where a bar is missed.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import pipelines as load  # type: ignore[import-not-found]  # beside this script
import yaml

ROOT: Final = Path(__file__).parents[1]
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "auditpipeline" / "peers"
DIRECTORY: Final = ROOT / "examples" / "gateway-fixed"

RATIO_BAR: Final = 1.5
RATIO_GOAL: Final = 1.3
GROWTH_BAR: Final = 5.5
MEMORY_BAR_MB: Final = 200.0
DIRECTORY_BAR_S: Final = 0.25
# A tool that takes longer for a fifth of the objects is not asked about all of them.
PATIENCE_S: Final = 2.0

# The small file of each shape and the one with five times its objects.
SHAPES: Final = (("load", 175, 875), ("emitters", 350, 1750))
PARSE: Final = """
import sys, yaml
with open(sys.argv[1]) as file:
    for document in yaml.load_all(file, Loader=yaml.CSafeLoader):
        pass
"""


# --- tools ----------------------------------------------------------------------------------------------------------


class Failure(NamedTuple):
    """A check that failed on an object. Whatever else a peer says of it is not compared."""

    check: str
    object: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that judges a file.

    Attributes:
        command: Without the file, which comes last.
        failures: Reads the program's output; None for one that only parses.
        absent: Why it cannot be run; empty if it can.
        note: What must be known to read its figures.
    """

    name: str
    command: tuple[str, ...] = ()
    failures: Callable[[str], Iterable[Failure]] | None = None
    json_flags: tuple[str, ...] = ()
    absent: str = ""
    note: str = ""


def ours() -> Tool:
    """The product, as the console script that this environment holds."""
    script = Path(sys.executable).with_name("auditpipeline")
    return Tool("auditpipeline check", (str(script), "check"), _our_failures, ("-o", "json"))


def parser_alone() -> Tool:
    """What the bars are measured in."""
    return Tool("PyYAML CSafeLoader alone", (sys.executable, "-c", PARSE))


def peers() -> Iterator[Tool]:
    """The peers that install here, and for each other one the reason."""
    yield _go_peer(
        "kube-score",
        "github.com/zegl/kube-score/cmd/kube-score@v1.20.0",
        ("score",),
        _kube_score_failures,
        ("-o", "json"),
    )
    yield _go_peer(
        "kubeconform",
        "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
        # Its schemas come from the network: without them it parses and skips, the least that it can take.
        ("-ignore-missing-schemas", "-schema-location", "schemas-not-reachable/{{.ResourceKind}}.json"),
        _kubeconform_failures,
        ("-output", "json"),
        note="without schemas: it parses, and skips every object",
    )
    yield _checkov()
    yield Tool(
        "@monokle/validation",
        absent="a library without a command line; not measured",
    )


def _go_peer(
    name: str,
    module: str,
    arguments: tuple[str, ...],
    failures: Callable[[str], Iterable[Failure]],
    json_flags: tuple[str, ...],
    *,
    note: str = "",
) -> Tool:
    program = CACHE / name
    if not program.exists():
        go = shutil.which("go")
        if go is None:
            return Tool(name, absent="Go is not installed")
        problem = _install([go, "install", module], {"GOBIN": str(CACHE)})
        if problem:
            return Tool(name, absent=f"go install {module}: {problem}")
    return Tool(name, (str(program), *arguments), failures, json_flags, note=note)


def _checkov() -> Tool:
    folder = CACHE / "checkov"
    program = folder / "bin" / "checkov"
    if not program.exists():
        problem = _install([sys.executable, "-m", "venv", str(folder)], {}) or _install(
            [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "checkov"], {}
        )
        if problem:
            return Tool("checkov", absent=f"pip install checkov: {problem}")
    flags = ("--framework", "kubernetes", "--skip-download", "--quiet", "--compact", "-o", "json", "-f")
    return Tool("checkov", (str(program), *flags), _checkov_failures)


def _install(command: list[str], variables: dict[str, str]) -> str:
    """Run an installer; why it failed, in a line, or an empty text."""
    print(f"installing: {' '.join(command[1:])}", file=sys.stderr)
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=600, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1][:120]


# --- what a tool found ------------------------------------------------------------------------------------------------


def _our_failures(output: str) -> Iterator[Failure]:
    for finding in json.loads(output)["findings"]:
        yield Failure(f"{finding['check']} {finding['reason']}", finding["object"]["name"])


def _kube_score_failures(output: str) -> Iterator[Failure]:
    for judged in json.loads(output) or []:
        for check in judged["checks"]:
            # 1 is critical, 5 a warning; above that nothing is wrong.
            if not check["skipped"] and check["grade"] <= 5:
                yield Failure(check["check"]["id"], judged["object_name"])


def _kubeconform_failures(output: str) -> Iterator[Failure]:
    for resource in json.loads(output)["resources"]:
        yield Failure(resource["status"], f"{resource['kind']}/{resource['name']}")


def _checkov_failures(output: str) -> Iterator[Failure]:
    report = json.loads(output)
    for part in report if isinstance(report, list) else [report]:
        for check in part.get("results", {}).get("failed_checks", []):
            yield Failure(check["check_id"], check["resource"])


@dataclass(frozen=True, slots=True)
class Detection:
    """What a tool makes of the single-fault pipelines."""

    tool: str
    clean: int
    found: dict[str, bool]


def detection(tool: Tool, folder: Path) -> Detection:
    """Judge the clean pipeline and each faulty one."""
    clean = found_by(tool, folder / "clean.yaml")
    before = set(clean)
    expected = yaml.safe_load((folder / "expect.yaml").read_text())
    found = {}
    for fault in load.FAULTS:
        after = found_by(tool, folder / f"{fault}.yaml")
        if tool.failures is _our_failures:
            (wanted,) = expected[fault]
            # Nothing missed and nothing besides: one fault, one reason.
            reasons = {failure.check for failure in after}
            found[fault] = len(reasons) == 1 and reasons <= {f"{wanted['check']} {reason}" for reason in wanted["reasons"]}
        else:
            found[fault] = bool(set(after) - before)
    return Detection(tool.name, len(clean), found)


def found_by(tool: Tool, file: Path) -> list[Failure]:
    """The failures that a tool reports of a file."""
    assert tool.failures is not None
    done = subprocess.run(
        [*tool.command, *tool.json_flags, str(file)], capture_output=True, text=True, check=False, env=_environment()
    )
    try:
        return list(tool.failures(done.stdout))
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{tool.name} on {file.name}: {type(error).__name__} in its output\n{done.stderr[-400:]}") from error


# --- time and memory ----------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """One process: seconds of processor and wall, peak resident memory in MB."""

    cpu: float
    wall: float
    memory: float


@dataclass(slots=True)
class Series:
    """Runs of one tool on one file."""

    runs: list[Run] = field(default_factory=list)

    @property
    def median(self) -> Run:
        """The median of each figure."""
        return Run(*(statistics.median(run[index] for run in self.runs) for index in range(3)))

    @property
    def least_cpu(self) -> float:
        """The run that was disturbed least."""
        return min(run.cpu for run in self.runs)


def measured(command: Iterable[str]) -> Run:
    """Run a program to its end."""
    started = time.perf_counter()
    with subprocess.Popen([*command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_environment()) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Run(usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss / 1024)


def _environment() -> dict[str, str]:
    """An installed package comes with its bytecode; an editable one must be allowed to keep it, or each run compiles."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode")}


def timings(tools: list[Tool], folder: Path, runs: int) -> dict[str, dict[str, Series]]:
    """Series by file and tool; the tools in turn, so that a busy moment of the machine meets all of them."""
    result: dict[str, dict[str, Series]] = {}
    for shape, small, large in SHAPES:
        patient = list(tools)
        for count in (small, large):
            file = folder / f"{shape}-{count}.yaml"
            series = {tool.name: Series() for tool in patient}
            for number in range(runs):
                for tool in patient:
                    if number and series[tool.name].runs[0].cpu > PATIENCE_S:
                        continue
                    series[tool.name].runs.append(measured([*tool.command, str(file)]))
            result[f"{shape} {count}"] = series
            patient = [tool for tool in patient if series[tool.name].runs[0].cpu <= PATIENCE_S]
    return result


# --- the tables ---------------------------------------------------------------------------------------------------------


def timing_table(tools: list[Tool], found: dict[str, dict[str, Series]]) -> Iterator[str]:
    """One row for each tool; seconds of processor time, wall time in parentheses."""
    columns = [f"{shape} {count}" for shape, small, large in SHAPES for count in (small, large)]
    yield (
        f"{'processor (wall) seconds':<26}"
        + "".join(f"{column:>18}" for column in columns)
        + f"{'growth':>14}{'x parse':>14}{'MB':>7}"
    )
    for tool in tools:
        if tool.absent:
            yield f"{tool.name:<26}  not measured: {tool.absent}"
            continue
        cells, growth, ratios, memory = [], [], [], 0.0
        for shape, small, large in SHAPES:
            for count in (small, large):
                series = found[f"{shape} {count}"].get(tool.name)
                cells.append("-" if series is None else f"{series.median.cpu:.2f} ({series.median.wall:.2f})")
                memory = max(memory, 0.0 if series is None else series.median.memory)
            few, many = found[f"{shape} {small}"][tool.name], found[f"{shape} {large}"].get(tool.name)
            growth.append("-" if many is None else f"{many.median.cpu / few.median.cpu:.1f}")
            ratios.append("-" if many is None else f"{ratio(found, f'{shape} {large}', tool):.2f}")
        yield (
            f"{tool.name:<26}"
            + "".join(f"{cell:>18}" for cell in cells)
            + f"{' / '.join(growth):>14}{' / '.join(ratios):>14}{memory:>7.0f}"
        )
    yield from (f"{tool.name}: {tool.note}." for tool in tools if tool.note)


def ratio(found: dict[str, dict[str, Series]], file: str, tool: Tool) -> float:
    """A tool's processor time in parses of the same file."""
    return found[file][tool.name].median.cpu / found[file][parser_alone().name].median.cpu


def detection_table(found: list[Detection]) -> Iterator[str]:
    """One row for each fault."""
    yield f"{'fault':<26}" + "".join(f"{one.tool:>22}" for one in found)
    for fault in load.FAULTS:
        yield f"{fault:<26}" + "".join(f"{'found' if one.found[fault] else '-':>22}" for one in found)
    yield f"{'found, of ' + str(len(load.FAULTS)):<26}" + "".join(f"{sum(one.found.values()):>22}" for one in found)
    yield f"{'findings on the clean one':<26}" + "".join(f"{one.clean:>22}" for one in found)


class Bar(NamedTuple):
    """A figure and what it must not exceed."""

    name: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        """Whether the figure is good enough."""
        return self.value <= self.most


def bars(tool: Tool, found: dict[str, dict[str, Series]], directory: Series, detected: Detection) -> Iterator[Bar]:
    """The bars of the product."""
    for shape, small, large in SHAPES:
        few, many = found[f"{shape} {small}"][tool.name], found[f"{shape} {large}"][tool.name]
        yield Bar(
            f"{shape} {large}: parses of the same file (goal {RATIO_GOAL:g})", ratio(found, f"{shape} {large}", tool), RATIO_BAR
        )
        yield Bar(f"{shape} {large}: growth for five times the objects", many.median.cpu / few.median.cpu, GROWTH_BAR)
        yield Bar(f"{shape} {large}: peak memory, MB", many.median.memory, MEMORY_BAR_MB)
    yield Bar("one small directory, seconds of processor", directory.median.cpu, DIRECTORY_BAR_S)
    yield Bar("faults not found with their reason alone", len(load.FAULTS) - sum(detected.found.values()), 0)
    yield Bar("findings on the clean pipeline", detected.clean, 0)


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", choices=("all", "none"), default="all")
    parser.add_argument("--out", type=Path, default=Path("build/bench-check.json"))
    args = parser.parse_args()
    product = ours()
    tools = [parser_alone(), product, *(peers() if args.peers == "all" else ())]
    present = [tool for tool in tools if not tool.absent]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        load.main(["faults", str(folder / "faults")])
        for shape, small, large in SHAPES:
            for count in (small, large):
                load.main([shape, str(count), str(folder / f"{shape}-{count}.yaml")])
        measured([*product.command, str(DIRECTORY)])  # compiles, where that was not done before
        detections = [detection(tool, folder / "faults") for tool in present if tool.failures is not None]
        found = timings(present, folder, args.runs)
        directory = Series([measured([*product.command, str(DIRECTORY)]) for _ in range(args.runs)])
    print("\n".join(timing_table(tools, found)), end="\n\n")
    print("\n".join(detection_table(detections)), end="\n\n")
    held = list(bars(product, found, directory, detections[0]))
    for bar in held:
        print(f"{'met   ' if bar.met else 'MISSED'}  {bar.name}: {bar.value:.2f} (at most {bar.most:g})")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(
        json.dumps(
            {
                "python": platform.python_version(),
                "cores": os.cpu_count(),
                "runs": args.runs,
                "files": {
                    file: {tool: {**series.median._asdict(), "least_cpu": series.least_cpu} for tool, series in by_tool.items()}
                    for file, by_tool in found.items()
                },
                "directory": directory.median._asdict(),
                "detection": [asdict(one) for one in detections],
                "bars": [{**bar._asdict(), "met": bar.met} for bar in held],
                "not_measured": {tool.name: tool.absent for tool in tools if tool.absent},
            },
            indent=2,
        )
        + "\n"
    )
    print(f"written to {args.out}")
    return 0 if all(bar.met for bar in held) else 1


if __name__ == "__main__":
    sys.exit(main())
