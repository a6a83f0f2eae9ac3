"""Records what AutoGen's own host does in each scenario of *_scenarios.py, into recorded-python-host.json.

  python3 tests/interop/python/record_host.py [--generation gen1 ...] [--scenario name ...] [--print]

Needs the environments of tools/interop-venvs.mjs, and no package for itself. With --generation, --scenario or --print
the file is left alone and the result is printed. Takes a minute and a half.
"""

import argparse
import json
import re
import sys
import threading
from pathlib import Path
from typing import Any, Dict, List, Optional

import channel_scenarios  # noqa: F401  (importing them fills SCENARIOS)
import message_scenarios  # noqa: F401
from laboratory import HERE, Laboratory
from scenario import SCENARIOS

VENVS = HERE.parents[2] / ".venvs"
GENERATIONS = ["gen1", "gen2", "gen3"]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ADDRESS = re.compile(r" object at 0x[0-9a-f]+")


def interpreter(generation: str) -> Path:
    posix = VENVS / generation / "bin" / "python"
    return posix if posix.exists() else VENVS / generation / "Scripts" / "python.exe"


def without_ids(value: Any) -> Any:
    """Random ids and addresses would make two records differ."""
    return json.loads(ADDRESS.sub("", UUID.sub("<uuid>", json.dumps(value))))


def record(generation: str, wanted: Optional[List[str]], entries: Dict[str, List[Dict[str, Any]]]) -> None:
    for name, function in SCENARIOS:
        if wanted and name not in wanted:
            continue
        lab = Laboratory(generation, str(interpreter(generation)))
        try:
            observed = without_ids(function(lab))
        except Exception as error:
            observed = {"recorder failed": f"{type(error).__name__}: {error}"}
            print(f"{generation} {name}: {observed}", file=sys.stderr)
        finally:
            lab.end()
        does = " ".join((function.__doc__ or "").split())
        entries[generation].append({"generation": generation, "scenario": name, "does": does, "observed": observed})


def environments(generations: List[str]) -> Dict[str, Dict[str, str]]:
    found = {}
    for generation in generations:
        lab = Laboratory(generation, str(interpreter(generation)))
        ready = next(event for event in lab.host.seen if event["event"] == "ready")
        found[generation] = {key: ready[key] for key in ("autogen", "grpcio", "protobuf")}
        lab.end()
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--generation", nargs="*", choices=GENERATIONS)
    parser.add_argument("--scenario", nargs="*", choices=[name for name, _ in SCENARIOS])
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    generations = options.generation or GENERATIONS
    entries: Dict[str, List[Dict[str, Any]]] = {generation: [] for generation in generations}
    threads = [threading.Thread(target=record, args=(g, options.scenario, entries)) for g in generations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ordered = [
        entry for name, _ in SCENARIOS for g in generations for entry in entries[g] if entry["scenario"] == name
    ]
    result = {
        "about": "What AutoGen's own Python host and workers do, recorded by record_host.py; a uuid stands for any.",
        "environments": environments(generations),
        "entries": ordered,
    }
    text = json.dumps(result, indent=1, ensure_ascii=False)
    if options.generation or options.scenario or options.print:
        print(text)
    else:
        (HERE / "recorded-python-host.json").write_text(text + "\n", encoding="utf-8")
    return 1 if any("recorder failed" in str(entry["observed"]) for entry in ordered) else 0


if __name__ == "__main__":
    raise SystemExit(main())
