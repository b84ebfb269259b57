"""Open files of feature values with pandas and compare every cell.

    check_features.py DIRECTORY LISTING

LISTING is a JSON file: {"1-7.parquet": {"mapobject_id": [3, 4], "f1": [0.5, null]}}, null for a missing value. Every
file of DIRECTORY must be listed, with all of its columns. Exit status 0 only if everything is as listed.
"""

import json
import math
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq


def main(directory: Path, listing: Path) -> None:
    expected = json.loads(listing.read_text())
    found = sorted(path.name for path in directory.iterdir())
    assert found == sorted(expected), f"{found} are there, {sorted(expected)} are wanted"
    for name, columns in expected.items():
        frame = pd.read_parquet(directory / name)
        assert sorted(frame.columns) == sorted(columns), f"{name}: columns {list(frame.columns)}"
        assert list(frame.columns[:4]) == ["mapobject_id", "site_id", "tpoint", "label"], list(frame.columns)
        for column, cells in columns.items():
            kind = "float64" if column.startswith("f") else "int64"
            assert frame[column].dtype == kind, f"{name}: {column} is {frame[column].dtype}"
            actual = [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in frame[column].tolist()]
            assert actual == cells, f"{name}: {column} is {actual}, {cells} is wanted"
        metadata = pq.read_metadata(directory / name).metadata
        assert metadata[b"tmserver.format_version"] == b"1", metadata
    print(f"OK: {len(expected)} files")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
