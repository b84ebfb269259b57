"""Open what the server stored, serves or exported with zarr-python and ome-zarr-py, and compare every pixel.

    check_zarr.py STORE LISTING [STORE LISTING …]

STORE is an OME-Zarr plate or image, or a Zarr group of anything else: a directory, or a URL that is asked with the
token in TMSERVER_TEST_TOKEN. LISTING is a JSON file: a list of
{"array": "B/03/0/0", "index": [t, c, z], "npy": "plane.npy"}, the .npy files beside it. Planes that are not
listed must be absent, that is, read as zeros. Label images are not looked at. Exit status 0 only if everything is as
listed.
"""

import json
import os
import sys
from pathlib import Path

import fsspec
import numpy as np
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Label, Reader
from ome_zarr_models import open_ome_zarr


def main(store: str, listing: Path) -> None:
    expected: dict[str, dict[tuple[int, ...], np.ndarray]] = {}
    for entry in json.loads(listing.read_text()):
        plane = np.load(listing.parent / entry["npy"])
        expected.setdefault(entry["array"], {})[tuple(entry["index"])] = plane

    arrays = check_arrays(store, expected)
    attributes = zarr.open_group(store, mode="r").attrs
    assert attributes["tmserver"]["format_version"] == 1
    ome = attributes.get("ome")
    if ome is None:
        images = 0
    elif "plate" in ome:
        images = check_plate(store, arrays)
    else:
        images = check_image(store, arrays)
    planes = sum(len(planes) for planes in expected.values())
    print(f"OK: {len(arrays)} arrays, {planes} planes, {images} images; zarr {zarr.__version__}")


def array_names(store: str) -> list[str]:
    """What is there: all arrays of a directory; over HTTP, where nothing can be listed, those that groups name."""
    if not store.startswith("http"):
        files = [file for file in sorted(Path(store).rglob("zarr.json")) if "labels" not in file.parts]
        arrays = [file.parent for file in files if json.loads(file.read_text())["node_type"] == "array"]
        return [array.relative_to(store).as_posix() for array in arrays]
    ome = zarr.open_group(store, mode="r").attrs["ome"]
    if "plate" not in ome:
        return [dataset["path"] for dataset in ome["multiscales"][0]["datasets"]]
    names = []
    for well in ome["plate"]["wells"]:
        for image in zarr.open_group(f"{store}/{well['path']}", mode="r").attrs["ome"]["well"]["images"]:
            field = f"{well['path']}/{image['path']}"
            names += [f"{field}/{array}" for array in array_names(f"{store}/{field}")]
    return names


def send_token() -> None:
    """Ask URLs with the token in TMSERVER_TEST_TOKEN, if there is one."""
    if token := os.environ.get("TMSERVER_TEST_TOKEN"):
        fsspec.config.conf["http"] = {"client_kwargs": {"headers": {"Authorization": f"JWT {token}"}}}


def check_arrays(store: str, expected) -> dict[str, np.ndarray]:
    """Every array, read whole by zarr-python and compared."""
    arrays = {}
    for name in array_names(store):
        array = zarr.open_array(f"{store}/{name}", mode="r", zarr_format=3)
        pixels = array[...]
        planes = expected.get(name, {})
        for index in np.ndindex(pixels.shape[:-2]):
            same(planes.get(index, np.zeros(pixels.shape[-2:], pixels.dtype)), pixels[index], f"{name} {index}")
        unknown = set(planes) - set(np.ndindex(pixels.shape[:-2]))
        assert not unknown, f"{name} has no planes {unknown}"
        arrays[name] = pixels
    missing = set(expected) - set(arrays)
    assert not missing, f"arrays {missing} are listed, but not stored"
    return arrays


def check_plate(store: str, arrays: dict[str, np.ndarray]) -> int:
    """The plate and each of its images as ome-zarr-py sees them, and the metadata against NGFF 0.5."""
    plate = open_ome_zarr(zarr.open_group(store, mode="r"), version="0.5")
    images = 0
    listed = set()
    used = set()
    firsts = []
    for well in plate.ome_attributes.plate.wells:
        well_group = open_ome_zarr(zarr.open_group(f"{store}/{well.path}", mode="r"), version="0.5")
        firsts.append(well_group.ome_attributes.well.images[0].path)
        for image in well_group.ome_attributes.well.images:
            name = f"{well.path}/{image.path}"
            check_image(f"{store}/{name}", {"0": arrays[f"{name}/0"]})
            listed.add(f"{name}/0")
            used.add(image.acquisition)
            images += 1
    assert listed == set(arrays), f"{listed ^ set(arrays)} are stored or listed, not both"
    first = next(iter(Reader(parse_url(store, mode="r"))()))
    acquisitions = {acquisition.id for acquisition in plate.ome_attributes.plate.acquisitions}
    assert used <= acquisitions, f"acquisitions {acquisitions} are listed, {used} have images"
    # ome-zarr-py shows the first field of the first well and those of this number of the others, side by side; wells
    # must be of one size for that.
    shapes = {arrays[name].shape for name in arrays}
    if len(shapes) == 1:
        rows = [row.name for row in plate.ome_attributes.plate.rows]
        columns = [column.name for column in plate.ome_attributes.plate.columns]
        none = np.zeros(shapes.pop(), next(iter(arrays.values())).dtype)
        grid = [[arrays.get(f"{row}/{column}/{firsts[0]}/0", none) for column in columns] for row in rows]
        whole = np.concatenate([np.concatenate(row, axis=-1) for row in grid], axis=-2)
        same(whole, np.asarray(first.data[0]), "plate")
    return images


def check_image(store: str, arrays: dict[str, np.ndarray]) -> int:
    model = open_ome_zarr(zarr.open_group(store, mode="r"), version="0.5")
    datasets = model.ome_attributes.multiscales[0].datasets
    nodes = [node for node in Reader(parse_url(store, mode="r"))() if node.data and not node.first(Label)]
    assert nodes, f"ome-zarr-py finds nothing in {store}"
    assert len(datasets) == len(nodes[0].data) == len(arrays), f"{store}: levels differ"
    for dataset, data in zip(datasets, nodes[0].data):
        same(arrays[dataset.path], np.asarray(data), f"{store} level {dataset.path}")
    return 1


def same(expected: np.ndarray, actual: np.ndarray, what: str) -> None:
    assert expected.dtype == actual.dtype, f"{what}: {actual.dtype}, {expected.dtype} is wanted"
    assert expected.shape == actual.shape, f"{what}: shape {actual.shape}, {expected.shape} is wanted"
    equal = expected == actual
    if expected.dtype.kind == "f":
        equal |= np.isnan(expected) & np.isnan(actual)
    different = np.argwhere(~equal)
    assert not len(different), f"{what}: {len(different)} values differ, the first at {different[0]}"


if __name__ == "__main__":
    arguments = sys.argv[1:]
    assert arguments and len(arguments) % 2 == 0, __doc__
    send_token()
    for store, listing in zip(arguments[::2], arguments[1::2]):
        main(store, Path(listing))
