"""Files of documents, written on the spot."""

import gzip
import json

COLUMNS = ["id", "text", "source", "licence"]


def write_jsonl(path, rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
