"""Open the objects of an export with pandas, ome-zarr-models and ome-zarr-py, and compare them with what the API says.

    check_export.py EXPORT LISTING

LISTING is a JSON file, the files that it names beside it:
{"tables": {"Cells": {"values": "0.csv", "metadata": "1.csv"}},
 "labels": {"plates/p.ome.zarr/B/03/0": {"Cells": {"title": "Cells", "planes": [{"t": 0, "z": 0, "labels": [[…]]}]}}}}

Tables and label images that are not listed must be absent, planes of label images that are not listed must be blank.
Exit status 0 only if everything is as listed.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Label, Reader
from ome_zarr_models import open_ome_zarr
from ome_zarr_models.v05 import ImageLabel, Labels

TEXTS = ["plate_name", "well_name"]
WHOLE = ["mapobject_id", "well_pos_y", "well_pos_x", "tpoint", "zplane", "label", "is_border"]


def main(export: Path, listing: Path) -> None:
    expected = json.loads(listing.read_text())
    found = {path.stem for path in (export / "features").iterdir() if path.suffix == ".parquet"}
    assert found == set(expected["tables"]), f"tables {found}"
    for name, files in expected["tables"].items():
        check_table(export / "features" / f"{name}.parquet", *(listing.parent / files[of] for of in ("metadata", "values")))
    found = {path.parent.relative_to(export).as_posix() for path in export.rglob("labels")}
    assert found == set(expected["labels"]), f"label images in {found}"
    for image, types in expected["labels"].items():
        check_labels(f"{export}/{image}", types)
    print(f"OK: {len(expected['tables'])} tables, {len(expected['labels'])} images with labels")


def check_table(path: Path, metadata: Path, values: Path) -> None:
    """The columns of both tables of the API side by side, names that are there already numbered."""
    exact = {"float_precision": "round_trip"}
    metadata = pd.read_csv(metadata, keep_default_na=False, na_values=["nan", ""], dtype={name: str for name in TEXTS}, **exact)
    values = pd.read_csv(values, na_values=["nan"], **exact)
    assert metadata["mapobject_id"].tolist() == values["mapobject_id"].tolist()
    names = list(metadata.columns)
    columns = [metadata[name] for name in names]
    for name in values.columns[1:]:
        columns.append(values[name])
        unique, number = name, 2
        while unique in names:
            unique, number = f"{name}-{number}", number + 1
        names.append(unique)
    frame = pd.read_parquet(path)
    assert list(frame.columns) == names, f"{path}: columns {list(frame.columns)}, {names} are wanted"
    schema = pq.read_schema(path)
    for name, column in zip(names, columns):
        kind = "string" if name in TEXTS else "int64" if name in WHOLE else "double"
        assert schema.field(name).type == kind, f"{path}: {name} is {schema.field(name).type}"
        actual = frame[name].tolist()
        cells = column.tolist()
        # Two NaN are the same here.
        same = [a == b or (a != a and b != b) or (a is None and b != b) for a, b in zip(actual, cells)]
        assert len(actual) == len(cells) and all(same), f"{path}: {name} is {actual}, {cells} is wanted"


def check_labels(image: str, types) -> None:
    """The label images of an image, a directory or a URL, are these and no others."""
    group = zarr.open_group(f"{image}/labels", mode="r")
    labels = Labels.from_zarr(group)
    assert sorted(labels.label_paths) == sorted(types), f"{image}: {labels.label_paths}"
    assert group.attrs["ome"]["version"] == "0.5"
    pixels = zarr.open_array(f"{image}/0", mode="r", zarr_format=3)
    scales = open_ome_zarr(zarr.open_group(image, mode="r"), version="0.5").ome_attributes.multiscales[0]
    # ome-zarr-py finds them below the image, without being told their names.
    nodes = [node for node in Reader(parse_url(image, mode="r"))() if node.first(Label)]
    read = {node.zarr.basename(): np.asarray(node.data[0]) for node in nodes}
    for name, wanted in types.items():
        model = ImageLabel.from_zarr(group[name]).ome_attributes
        multiscale = model.multiscales[0]
        assert model.image_label.source.image == "../../"
        assert multiscale.name == wanted["title"], multiscale.name
        assert multiscale.axes == scales.axes and multiscale.datasets == scales.datasets, f"{image}: {multiscale}"
        array = zarr.open_array(f"{image}/labels/{name}/0", mode="r", zarr_format=3)
        assert array.dtype == "uint32" and array.shape == (pixels.shape[0], 1, *pixels.shape[2:]), array
        expected = np.zeros(array.shape, array.dtype)
        for plane in wanted["planes"]:
            expected[plane["t"], 0, plane["z"]] = plane["labels"]
        different = np.argwhere(array[...] != expected)
        assert not len(different), f"{image}: {name} differs in {len(different)} pixels, the first {different[0]}"
        assert np.array_equal(read[name], expected), f"{image}: ome-zarr-py reads other labels of {name}"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
