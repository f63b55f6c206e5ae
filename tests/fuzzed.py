"""Seeded inputs that nobody would write, for everything that reads what comes from outside."""

import json
import random
import re
import struct
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import torch

from zoogen.cli import main
from zoogen.seal import sealed_json
from zoogen.tasks.hypergrid.config import HypergridConfig
from zoogen.tasks.hypergrid.task import HypergridTask
from zoogen.weights.files import write_weights

ECHO = 200  # characters of an input that a message may repeat
SECONDS = 20.0  # of processor time for one input
STUDY = {
    "study": "fuzzed",
    "task": {"training": {"iterations": 4, "checkpoints": 1}, "judge": {"samples": 10}},
    "zoo": {"structures": ["E*"], "runs": 1, "validation_runs": 0, "test_runs": 0},
    "ray": None,
    "tracking": {"kind": "none"},
}
_KEYS = (
    "study",
    "seed",
    "device",
    "artifacts",
    "task",
    "task.kind",
    "task.reward",
    "task.reward.r0",
    "task.reward.r1",
    "task.hidden",
    "task.training.iterations",
    "task.training.optimiser.learning_rate",
    "task.training.by_structure",
    "task.training.optimiser.betas",
    "task.judge.samples",
    "task.judge.memory_gib",
    "zoo",
    "zoo.structures",
    "zoo.runs",
    "zoo.cohort",
    "zoo.seed",
    "reference",
    "autoencoder",
    "autoencoder.kind",
    "autoencoder.latent",
    "generator",
    "generator.kind",
    "generator.sampler.steps",
    "generator.denoiser",
    "evaluation",
    "evaluation.methods",
    "evaluation.noise",
    "evaluation.count",
    "fine_tuning",
    "fine_tuning.starts",
    "similarity",
    "ray",
    "ray.address",
    "pool",
    "pool.workers",
    "train",
    "tracking",
    "tracking.kind",
    "best_runs",
    "last_checkpoints",
    "",
    ".",
    "a.b.c.d",
)


@dataclass(frozen=True)
class Fuzzed:
    """A call of the command line with what somebody made of its input."""

    name: str
    arguments: tuple[str, ...]
    payload: str


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Attributes:
        status: exit status; None if something other than SystemExit came out.
        text: everything that was printed.
        seconds: processor time.
    """

    status: int | None
    text: str
    seconds: float

    def faults(self, payload: str) -> list[str]:
        """What is wrong with it."""
        wrong = []
        if self.status is None or "Traceback" in self.text:
            wrong.append("traceback")
        if self.status == 1 or "a fault of zoogen" in self.text:
            wrong.append("not foreseen")
        if self.seconds > SECONDS:
            wrong.append("hang")
        if self.status not in (0, None) and (longest_echo(self.text, payload) > ECHO or len(self.text) > 1_600):
            wrong.append("echo")
        return wrong


def longest_echo(text: str, payload: str) -> int:
    """Most characters of the payload that the text repeats, in pieces of at least eight, blanks aside."""
    text, payload = (re.sub(r"\s+", "", each) for each in (text, payload))
    pieces = {payload[start : start + 8] for start in range(max(0, min(len(payload), 200_000) - 7))}
    return sum(text[start : start + 8] in pieces for start in range(len(text) - 7))


def called(case: Fuzzed) -> Outcome:
    """Call the command line in this process."""
    out, begin, status = StringIO(), time.process_time(), None
    try:
        with redirect_stdout(out), redirect_stderr(out):
            main(case.arguments)
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0
    except BaseException as error:
        out.write(f"Traceback {type(error).__name__}: {str(error)[:300]}")
    return Outcome(status, out.getvalue(), time.process_time() - begin)


def cases(seed: int, count: int, folder: Path) -> Iterator[Fuzzed]:
    """`count` inputs of every kind in turn; files lie in the folder."""
    source = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    kinds = (_override, _configuration, _manifest, _weights, _name, _record, _sweep)
    for index in range(count):
        place = folder / str(index)
        place.mkdir()
        yield kinds[index % len(kinds)](source, place)


def value(source: random.Random, depth: int = 0) -> object:
    """A JSON-like value at odds with what is expected."""
    plain = (
        None,
        True,
        0,
        -1,
        1,
        2.5,
        -0.0,
        1e308,
        1e-320,
        10**18,
        10**40,
        10**63,
        2**63,
        2**64,
        -(2**63),
        "",
        " ",
        "x",
        "E*",
        "0^3",
        "2^2",
        "9" * 400,
        "1e999",
        "9" * 9 + "^" + "9" * 9,
        "é" * 50,
        "a" * 5000,
        "a b " * 2000,
        "\u202e",
        "\x07",
        "../../etc/passwd",
        "/dev/zero",
        "s3://K:S@b",
        "{}",
        "[]",
        "null",
        "hypergrid",
        "images",
        "torchgfn",
        "diffusion",
        "https://u:p@h",
        "%s%n{0}",
        "nan",
        "-inf",
        "cnn-small@digits",
        "@",
        "a@b" * 500,
        "1,2,3,4",
        "4,2,2,2",
        ",".join("1" * 500),
    )
    pick = source.random()
    if depth > 3 or pick < 0.7:
        return source.choice(plain)
    if pick < 0.85:
        return [value(source, depth + 1) for _ in range(source.choice((0, 1, 2, 3, 300)))]
    keys = ("kind", "runs", "structures", "iterations", "x" * 3000, "", "r0", "grid", "name", "1")
    return {source.choice(keys): value(source, depth + 1) for _ in range(source.choice((0, 1, 2, 5)))}


def text(source: random.Random) -> str:
    """Text that is hardly JSON or YAML."""
    size = source.choice((1, 65, 3000, 100_000))
    return source.choice(
        (
            "[" * size,
            "{" * size,
            '{"a":' * size,
            "- " * size,
            "9" * size,
            "-" + "9" * size,
            "1e" + "9" * size,
            '"' * size,
            "&a [*a]",
            "a: &a [1]\nb: &b [*a,*a]\n",
            "a: 1\na: 2",
            "!!python/object/apply:os.system [id]",
            "\x00" * size,
            "? " * size,
            "a: " * size,
            "\t",
            "%YAML 9.9\n---",
            "--- a\n--- b",
            "!!timestamp 9",
            "!!binary x",
            "<<: 3",
            "0x" + "f" * size,
            "1:" * size,
            "2020-99-99",
            "\\ud800",
            "NaN",
            "Infinity",
            "'" + "x" * size + "'",
            "*" * size,
            "x" * size,
            "!" * size,
            "|\n" + " x\n" * min(size, 3000),
            "[" * 60 + "]" * 60,
            json.dumps(value(source)),
        )
    )


def _override(source: random.Random, place: Path) -> Fuzzed:
    given = source.choice((text(source), json.dumps(value(source)), str(value(source))))
    override = source.choice((f"{source.choice(_KEYS)}={given}", given, f"{given}=1", ".".join("a" * 500) + "=1"))
    override = override.replace("\x00", "0")[:100_000]
    return Fuzzed("override", (*_command(source), str(_study(place)), override), override)


def _configuration(source: random.Random, place: Path) -> Fuzzed:
    mapping = json.loads(json.dumps(STUDY))
    for _ in range(source.choice((1, 1, 2, 5))):
        *path, last = source.choice(_KEYS).split(".")
        node = mapping
        for key in path:
            node = node[key] if isinstance(node.get(key), dict) else node.setdefault(key + "_", {})
        node[last] = value(source)
    content = source.choice((text(source), json.dumps(mapping), json.dumps(mapping)[: source.randrange(1, 200)]))
    path = place / "study.yaml"
    path.write_bytes(content.encode(errors="replace") + source.choice((b"", b"", b"\xff\xfe")))
    return Fuzzed("configuration", (*_command(source), str(path)), content)


def _manifest(source: random.Random, place: Path) -> Fuzzed:
    digest = "ab" * 8
    content: dict[str, object] = {
        "format": 1,
        "config": {},
        "task": {"kind": "hypergrid"},
        "splits": {"train": [0]},
        "digest": digest,
        "cohorts": [{"digest": "c", "key": "zoo/parts/E-/c.parquet", "structure": "E*", "runs": [0]}],
    }
    for _ in range(source.choice((1, 2))):
        content[source.choice((*content, "contents"))] = value(source)
    try:
        data = source.choice(
            (sealed_json(content), json.dumps(content).encode(), text(source).encode(errors="replace"))
        )
    except ValueError:
        data = b"{"
    study = _study(place)
    path = place / "artifacts" / "zoo" / source.choice((f"{digest}.json", f"plans/{digest}.json"))
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    command = source.choice((("zoo", "ls"), ("zoo", "show"), ("zoo", "export")))
    return Fuzzed("manifest", (*command, str(study)), data.decode(errors="replace"))


def _weights(source: random.Random, place: Path) -> Fuzzed:
    metadata = {"task": "hypergrid", "structure": "E*"}
    for _ in range(source.choice((1, 2))):
        key = source.choice(("task", "structure", "task_config", "own", "subset", "network", "activation_slope", "zoo"))
        metadata[key] = source.choice((text(source), json.dumps(value(source)), str(value(source))))
    layout = HypergridTask(HypergridConfig()).target("E*").layout
    path = place / "x.safetensors"
    payload = " ".join(metadata.values())
    arguments = ("evaluate", "--weights", str(path), *source.choice(((), (str(_study(place)),))))
    if source.random() < 0.6 and len(payload) < 10**6:
        write_weights(path, layout, torch.zeros(1, layout.size), {key: str(text) for key, text in metadata.items()})
        return Fuzzed("weights", arguments, payload)
    tensors = {layout.entries[0].name: {"dtype": "F32", "shape": value(source), "data_offsets": [0, 512]}}
    header: object = {"__metadata__": source.choice((metadata, value(source))), **tensors}
    body = source.choice((json.dumps(header), json.dumps(value(source)), text(source))).encode(errors="replace")
    size = source.choice((len(body), len(body), len(body), 2**63, 0, len(body) + 1))
    path.write_bytes(struct.pack("<Q", size) + body + b"\x00" * 512)
    return Fuzzed("weights", arguments, body.decode(errors="replace"))


def _name(source: random.Random, place: Path) -> Fuzzed:
    name = source.choice((text(source), str(value(source)))).replace("\x00", "0")[:50_000]
    study, out = str(_study(place)), str(place / "out")
    calls = (
        ("generate", study, "--structure", name, "--out", out),
        ("generate", study, "--structure", "E*", "--count", name, "--out", out),
        ("zoo", "show", study, "--structure", name),
        ("zoo", "export", study, "--structure", name, "--out", out),
        ("zoo", "export", study, "--split", name, "--out", out),
        ("evaluate", "--weights", name),
        ("finetune", study, "--weights", name),
        ("report", name, "--out", out),
        ("report", study, name, "--out", out),
        ("pipeline", name),
        ("sweep", name),
        ("benchmark", name),
        (name,),
        ("pipeline", study, "--" + name),
    )
    return Fuzzed("name", source.choice(calls), name)


def _record(source: random.Random, place: Path) -> Fuzzed:
    content = source.choice(
        (text(source), json.dumps(value(source)), json.dumps({"study": value(source), "results": []}))
    )
    path = place / "evaluation.json"
    path.write_bytes(content.encode(errors="replace"))
    return Fuzzed("record", ("report", str(path), "--out", str(place / "out")), content)


def _sweep(source: random.Random, place: Path) -> Fuzzed:
    study = _study(place)
    sweep: dict[str, object] = {"study": "s", "base": study.name, "space": {"seed": {"grid": [0, 1]}}}
    key = source.choice(("study", "base", "space", "points", "overrides", "samples", "stage", "columns", "scheduler"))
    sweep[key] = value(source)
    if source.random() < 0.5:
        sweep["space"] = {
            source.choice(_KEYS): {source.choice(("grid", "choice", "uniform", "randint")): value(source)}
        }
    path = place / "sweep.yaml"
    content = source.choice((json.dumps(sweep), text(source)))
    path.write_bytes(content.encode(errors="replace"))
    return Fuzzed("sweep", ("sweep", str(path), "--dry-run"), content)


def _command(source: random.Random) -> tuple[str, ...]:
    return source.choice((("pipeline", "--dry-run"), ("zoo", "ls"), ("build-zoo", "--dry-run"), ("zoo", "show")))


def _study(place: Path) -> Path:
    path = place / "base.yaml"
    path.write_text(json.dumps({**STUDY, "artifacts": str(place / "artifacts")}))
    return path
