"""Drive a server with tmclient 0.3.3, its library and its command line, through values of features.

    drive_tmclient_features.py BASE_URL USER PASSWORD EXPERIMENT

The experiment has a plate `plate one` with wells `A01` and `B02` of two sites each, 6 pixels high and 8 wide, and no
objects. Exit status 0 only if everything that was sent comes back.
"""

import io
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from drive_tmclient import CommandLine, equal
from tmclient import TmClient

PLATE = "plate one"
SITES = [("A01", 0, 0), ("A01", 0, 1), ("B02", 0, 0), ("B02", 0, 1)]
NAMES = ["Morphology_Area", "mean, \"raw\"", "Fläche/µm²"]


def labels(number: int) -> np.ndarray:
    """Two objects of a site, of which the first touches its edge."""
    image = np.zeros((6, 8), np.int32)
    image[:2, :3] = 1
    image[3:5, 2:6] = 5 + number
    return image


def values(number: int) -> pd.DataFrame:
    cells = [[number + 0.1, 1e300, -0.0], [1e-300, number / 3, 2.0**60]]
    return pd.DataFrame(cells, index=[1, 5 + number], columns=NAMES)


def exactly(frame: pd.DataFrame, expected: np.ndarray, what: str) -> None:
    """Equal but for the last bit: the client reads text with a faster method than an exact one."""
    actual = frame.to_numpy(float)
    equal(actual.shape, expected.shape, what)
    np.testing.assert_allclose(actual, expected, rtol=4e-16, atol=0, equal_nan=True, err_msg=what)


def main(base: str, user: str, password: str, experiment: str) -> None:
    host, port = urlsplit(base).hostname, urlsplit(base).port
    client = TmClient(host, port, user, password, experiment_name=experiment)
    tm = CommandLine(host, port, user, password)
    client.create_mapobject_type("Cells")
    for number, (well, y, x) in enumerate(SITES):
        client.upload_segmentation_image("Cells", PLATE, well, y, x, 0, 0, labels(number))
        client.upload_feature_values("Cells", PLATE, well, y, x, 0, values(number))
    equal([feature["name"] for feature in client.get_features("Cells")], sorted(NAMES), "features")

    frame = client.download_feature_values("Cells")
    equal(list(frame.columns), ["mapobject_id", *NAMES], "columns")
    expected = np.concatenate([values(number).to_numpy() for number in range(len(SITES))])
    exactly(frame[NAMES], expected, "all values")
    metadata = client.download_object_metadata("Cells")
    equal(metadata["mapobject_id"].tolist(), frame["mapobject_id"].tolist(), "objects")
    rows = metadata[["plate_name", "well_name", "well_pos_y", "well_pos_x", "tpoint", "zplane", "label", "is_border"]]
    wanted = [
        (PLATE, well, y, x, 0, 0, label, border)
        for number, (well, y, x) in enumerate(SITES)
        for label, border in ((1, 1), (5 + number, 0))
    ]
    equal([tuple(row) for row in rows.itertuples(index=False)], wanted, "metadata")

    # One site, one feature of it again, and a new one.
    again = pd.DataFrame([[7.0, 8.0], [9.0, 10.0]], index=[7, 1], columns=["another", NAMES[0]])
    client.upload_feature_values("Cells", PLATE, "B02", 0, 0, 0, again)
    frame = client.download_feature_values("Cells", PLATE, "B02", 0, 0, 0)
    equal(list(frame.columns), ["mapobject_id", *NAMES, "another"], "columns after a second upload")
    expected = values(2)
    expected.loc[[7, 1], NAMES[0]] = [8.0, 10.0]
    expected["another"] = [9.0, 7.0]
    exactly(frame[[*NAMES, "another"]], expected.to_numpy(), "merged values")
    frame = client.download_feature_values("Cells", well_name="A01")
    equal(frame["another"].isna().tolist(), [True] * 4, "values that were never sent")

    listed = [row["Name"] for row in tm.table("feature", "-e", experiment, "ls", "-o", "Cells")]
    equal(listed, sorted([*NAMES, "another"]), "feature ls")
    tm.run("feature", "-e", experiment, "rename", "-o", "Cells", "-n", NAMES[1], "--new-name", "mean")
    tm.run("feature", "-e", experiment, "rm", "-o", "Cells", "-n", "another")
    client.rename_feature("Cells", NAMES[2], "area")
    client.delete_feature("Cells", NAMES[0])
    equal([feature["name"] for feature in client.get_features("Cells")], ["area", "mean"], "features after changes")

    with tempfile.TemporaryDirectory() as directory:
        tm.run("feature-values", "-e", experiment, "download", "-o", "Cells", "--directory", directory)
        secured = "_".join(f"{experiment}_{PLATE}".split())
        files = {path.name: path.read_text() for path in Path(directory).iterdir()}
    kinds = ("feature-values", "metadata")
    equal(sorted(files), sorted(f"{secured}_{w}_Cells_{kind}.csv" for w in ("A01", "B02") for kind in kinds), "files")
    for first, well in ((0, "A01"), (2, "B02")):
        text = files[f"{secured}_{well}_Cells_feature-values.csv"]
        frame = pd.read_csv(io.StringIO(text), float_precision="round_trip")
        equal(list(frame.columns), ["mapobject_id", "mean", "area"], "columns of a file")
        expected = np.concatenate([values(first).to_numpy(), values(first + 1).to_numpy()])[:, 1:]
        equal(frame[["mean", "area"]].to_numpy().tolist(), expected.tolist(), f"values of {well}")
        equal(np.signbit(frame["area"]).tolist(), [True, False] * 2, "signs of zero")
        metadata = pd.read_csv(io.StringIO(files[f"{secured}_{well}_Cells_metadata.csv"]))
        equal(metadata["label"].tolist(), [1, 5 + first, 1, 6 + first], f"labels of {well}")
    print(f"OK: {len(SITES)} sites")


if __name__ == "__main__":
    main(*sys.argv[1:])
