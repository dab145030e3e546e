"""Text written anew by a model, and the checks that it still says what its source says."""

from nemo_lab.lazy import attach

_HOMES = {
    "AskingWriter": "writer",
    "Endpoint": "endpoint",
    "EndpointCleaner": "cleaner",
    "LocalWriter": "writer",
    "TASKS": "tasks",
    "Task": "tasks",
    "compare": "fidelity",
    "faithful": "fidelity",
    "rephrase": "tasks",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
