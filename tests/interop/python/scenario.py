"""What a scenario is: a function that makes something go wrong and returns what was observed.

Its docstring says what is done; its name, with hyphens, is the one in recorded-python-host.json.
"""

from typing import Any, Callable, Dict, List, Tuple

from laboratory import Laboratory

Scenario = Callable[[Laboratory], Any]
SCENARIOS: List[Tuple[str, Scenario]] = []
HELD: Dict[str, Any] = {"kind": "held", "type": "held"}
ECHO: Dict[str, Any] = {"kind": "echo", "type": "echo"}


def scenario(function: Scenario) -> Scenario:
    SCENARIOS.append((function.__name__.replace("_", "-"), function))
    return function


def call(worker: Any, target: str, content: Any = "hi", type_: str = "MyMessage") -> Any:
    """Has a worker call; returns the command's id."""
    return worker.send("send", type=type_, target=target, message={"content": content})
