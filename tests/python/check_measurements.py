"""Measure objects with scikit-image, scipy, mahotas, OpenCV and plain numpy, and compare with what the engine measured.

    check_measurements.py DIRECTORY

Each folder of DIRECTORY is a case: labels.npy (objects, int32), spots.npy (points, int32), image.npy (uint8 or uint16)
and tables.json: {"intensity": {"labels": [3, 7], "columns": [["Intensity_max", [5.0, null]]]}}, null for NaN. Tables:
intensity, zernike, aggregate (of pattern-new over the objects), and shape, texture, neighbours and pattern, each -new
and -compatible.

Wanted columns are made in their order, so names and order are compared too. A value may differ by RELATIVE of the
wanted one and by ABSOLUTE of its column's unit, unless a check says otherwise. Exit status 0 only if all agree.
"""

import importlib
import json
import math
import sys
import warnings
from pathlib import Path

import cv2
import mahotas
import numpy as np
from scipy import ndimage
from skimage.measure import regionprops

lbp_codes = importlib.import_module("mahotas.features._lbp")
texture_module = importlib.import_module("mahotas.features.texture")

RELATIVE, ABSOLUTE = 1e-9, 1e-9
HARALICK = [
    "angular-second-moment", "contrast", "correlation", "sum-of-squares", "inverse-diff-moment", "sum-avg", "sum-var",
    "sum-entropy", "entropy", "diff-var", "diff-entropy", "info-measure-corr-1", "info-measure-corr-2",
]
RADII, SCALES, FREQUENCIES = [1, 4], [1, 2], [1, 5, 10]
NEAR, TOUCHING = 4, 2


class Case:
    """The images of a case, and each object cut out of them with one pixel of 0 around."""

    def __init__(self, folder: Path):
        self.labels, self.spots, self.image = (np.load(folder / f"{name}.npy") for name in ["labels", "spots", "image"])
        self.numbers = [int(label) for label in np.unique(self.labels) if label > 0]
        boxes = ndimage.find_objects(self.labels)
        self.masks = [np.pad(self.labels[boxes[label - 1]] == label, 1) for label in self.numbers]
        values = [np.pad(self.image[boxes[label - 1]], 1) for label in self.numbers]
        self.crops = [value * mask for value, mask in zip(values, self.masks)]
        self.corners = [[axis.start - 1 for axis in boxes[label - 1]] for label in self.numbers]


def columns(names: list, rows: list) -> dict:
    """Columns by name from rows of values."""
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def intensity(case: Case) -> dict:
    functions = {"max": ndimage.maximum, "mean": ndimage.mean, "min": ndimage.minimum, "sum": ndimage.sum,
                 "std": ndimage.standard_deviation}
    image = case.image.astype(np.float64)
    return {f"Intensity_{name}": function(image, case.labels, case.numbers) for name, function in functions.items()}


def shape(case: Case, compatible: bool) -> dict:
    """Ellipse, hull and box by scikit-image, whose hull is that of the middles of pixel sides too; perimeters by
    mahotas; radii by scipy: of the object alone, or of all objects together."""
    union = ndimage.distance_transform_edt(case.labels > 0)
    rows = []
    for properties, mask, label in zip(regionprops(case.labels), case.masks, case.numbers):
        assert properties.label == label
        padded = np.pad(mask, 2)
        perimeter, border = mahotas.labeled.perimeter(padded), mahotas.bwperim(padded, n=4).sum()
        area, (y, x) = properties.area, properties.centroid
        major, minor = properties.axis_major_length, properties.axis_minor_length
        distances = union[case.labels == label] if compatible else ndimage.distance_transform_edt(mask)[mask]
        rows.append({
            "Local_Centroid_x": x,
            "Local_Centroid_y": y,
            "Area": area,
            "Perimeter": perimeter,
            "Eccentricity": properties.eccentricity,
            "Extent": properties.extent,
            "Convexity": properties.area / properties.area_convex,
            "Circularity": 4 * math.pi * area / perimeter**2 if perimeter else math.nan,
            "Roundness": border**2 / (4 * math.pi * area),
            "Elongation": (major - minor) / major if major else math.nan,
            "Equivalent_Diameter": properties.equivalent_diameter_area,
            "Major_Axis_Length": major,
            "Minor_Axis_Length": minor,
            "Maximum_Radius": distances.max(),
            "Mean_Radius": distances.mean(),
        })
    return {f"Morphology_{name}": [row[name] for row in rows] for name in rows[0]}


def gabor(crop: np.ndarray, mask: np.ndarray, frequency: int) -> float:
    """The definition, with filters made to have zero mean."""
    y, x = np.nonzero(mask)
    values = crop[mask].astype(np.float64)
    values -= values.mean()
    y, x = y - y.mean(), x - x.mean()
    sigma = math.sqrt(len(x) / math.pi) / 3
    envelope = 1000 / (2 * math.pi * sigma**2) * np.exp(-(x**2 + y**2) / (2 * sigma**2))
    scores = []
    for theta in np.arange(4) * np.pi / 4:
        phase = 2 * math.pi / frequency * (y * math.cos(theta) + x * math.sin(theta))
        parts = [envelope * np.cos(phase), envelope * np.sin(phase)]
        scores.append(math.hypot(*[(values * (part - part.mean())).sum() for part in parts]))
    return max(scores)


def tas(case: Case, compatible: bool) -> dict:
    threshold = mahotas.otsu(case.image)
    names = ["center", "mu-margin", "mu", "n-center", "n-mu-margin", "n-mu"]
    order = ["center", "n-center", "mu-margin", "n-mu-margin", "mu", "n-mu"]
    in_order = [f"{name}-{bin}" for bin in range(9) for name in order]
    by_mask = [f"{name}-{bin}" for name in names for bin in range(9)]
    rows = [adjacency(crop, threshold) for crop in case.crops]
    found = columns(in_order if compatible else by_mask, rows)
    return {f"Texture_TAS-{name}": found[name] for name in in_order}


def adjacency(crop: np.ndarray, threshold: int) -> np.ndarray:
    """The definition; and mahotas, unless its mean, which is a trifle too small, makes other masks: it does when pixels
    are as bright as the mean, or the mean and the deviation."""
    bright = crop[crop > threshold].astype(np.float64)
    mean, deviation = (bright.mean(), bright.std()) if len(bright) else (0, 0)

    def masks(mean: float) -> list:
        return [(crop > mean - deviation) & (crop < mean + deviation), crop > mean - deviation, crop > mean]

    shares = []
    for mask in [*masks(mean), *(~mask for mask in masks(mean))]:
        neighbours = ndimage.convolve(mask.astype(int), [[1, 1, 1], [1, 0, 1], [1, 1, 1]], mode="reflect")
        counts = np.bincount(neighbours[~mask], minlength=9)
        shares.append(counts / max(counts.sum(), 1))
    if np.array_equal(masks(mean), masks(bright.sum() / (len(bright) + 1e-8))):
        assert np.allclose(np.ravel(shares), mahotas.features.pftas(crop, threshold), rtol=0, atol=1e-12)
    return np.ravel(shares)


def hu(case: Case) -> dict:
    """OpenCV counts x along the columns, as we do; scikit-image along the rows, which turns the sign of the last."""
    rows = [cv2.HuMoments(cv2.moments(crop.astype(np.float64))).ravel() for crop in case.crops]
    for row, properties in zip(rows, regionprops(case.labels, case.image)):
        other = properties.moments_weighted_hu * [1, 1, 1, 1, 1, 1, -1]
        scale = np.maximum(row[0], 1e-6) ** np.array([1, 2, 3, 3, 6, 4, 6])
        assert np.all(np.abs(row - other) <= 1e-9 * scale), (row, other)
    return columns([f"Texture_Hu-{index}" for index in range(7)], rows)


def lbp(case: Case, radius: int, compatible: bool) -> dict:
    """Points by scipy: the interpolation that mahotas has for them takes the pixel beside instead. A point is brighter
    when it is by more than a millionth, as scipy's coordinates are not exact. Codes by mahotas."""
    rows, wide = [], radius + 2
    pivots = np.unique(lbp_codes.map(np.arange(256, dtype=np.uint32), 8))
    for crop, mask in zip(case.crops, case.masks):
        y, x = np.nonzero(np.ones_like(mask) if compatible else mask)
        values, codes = np.pad(crop, wide).astype(np.float64), np.zeros(len(x), np.uint32)
        for bit in range(8):
            angle = bit * math.pi / 4
            where = [y + wide + radius * math.sin(angle), x + wide + radius * math.cos(angle)]
            codes |= (ndimage.map_coordinates(values, where, order=1) > crop[y, x] + 1e-6).astype(np.uint32) << bit
        counts = np.bincount(lbp_codes.map(codes, 8), minlength=256)[pivots]
        rows.append(counts if compatible else counts / mask.sum())
    return columns([f"Texture_LBP-radius-{radius}-{bin}" for bin in range(36)], rows)


def haralick(case: Case, compatible: bool) -> dict:
    """By mahotas on levels made here: of the image, or of each object by itself."""
    high = int(np.percentile(case.image, 99.999))
    low = int(case.image.min())
    rows = []
    for crop, mask in zip(case.crops, case.masks):
        clipped = np.minimum(crop, high).astype(np.int64)
        if compatible:
            levels = clipped * 255 // max(clipped.max(), 1)
        else:
            levels = np.where(mask, 1 + np.maximum(clipped - low, 0) * 254 // max(high - low, 1), 0)
        by_scale = [statistics(levels.astype(np.uint8), scale, compatible) for scale in SCALES]
        rows.append(np.ravel(by_scale) if compatible else np.ravel(by_scale, order="F"))
    return columns([f"Texture_Haralick-{name}-{scale}" for name in HARALICK for scale in SCALES], rows)


def statistics(levels: np.ndarray, scale: int, compatible: bool) -> np.ndarray:
    if compatible:
        try:
            return mahotas.features.haralick(levels, distance=scale, ignore_zeros=True, return_mean=True)
        except ValueError:
            return np.full(13, np.nan)
    found = []
    for direction in range(4):
        pairs = np.zeros((256, 256), np.int32)
        texture_module.cooccurence(levels, direction, pairs, symmetric=True, distance=scale)
        pairs[0] = pairs[:, 0] = 0
        if pairs.any():
            found.extend(texture_module.haralick_features([pairs], ignore_zeros=True))
    return np.mean(found, axis=0) if found else np.full(13, np.nan)


def texture(case: Case, compatible: bool) -> dict:
    wanted = {
        f"Texture_Gabor-frequency-{frequency}": [gabor(*pair, frequency) for pair in zip(case.crops, case.masks)]
        for frequency in FREQUENCIES
    }
    wanted |= tas(case, compatible) | hu(case)
    for radius in RADII:
        wanted |= lbp(case, radius, compatible)
    return wanted | haralick(case, compatible)


def zernike(case: Case) -> dict:
    rows = []
    for mask in case.masks:
        y, x = np.nonzero(mask)
        radius = np.hypot(y - y.mean(), x - x.mean()).max() + 0.5
        rows.append(mahotas.features.zernike_moments(mask, radius, degree=12))
    orders = [(n, m) for n in range(13) for m in range(n + 1) if (n - m) % 2 == 0]
    return columns([f"Morphology_Zernike-{n}-{m}" for n, m in orders], rows)


def neighbours(case: Case, compatible: bool) -> dict:
    """Distances by scipy, on each object with enough pixels around it."""
    rows, wide = [], max(NEAR, TOUCHING)
    for label in case.numbers:
        y, x = np.nonzero(case.labels == label)
        top, left = max(y.min() - wide, 0), max(x.min() - wide, 0)
        window = case.labels[top : y.max() + wide + 1, left : x.max() + wide + 1]
        mask = window == label
        found = np.unique(window[ndimage.distance_transform_edt(~mask) < NEAR])
        found = found[(found > 0) & (found != label)]
        grown = ndimage.binary_dilation(np.isin(window, found))
        border = (case.labels == label) & ~ndimage.binary_erosion(case.labels == label)
        border = border[top : y.max() + wide + 1, left : x.max() + wide + 1]
        distances = ndimage.distance_transform_edt(~grown)[border]
        touching = (distances <= TOUCHING) & ((distances > 0) | (not compatible))
        rows.append([len(found), touching.mean() if len(found) else 0])
    return columns(["Neighbours_Neighbours_Count", "Neighbours_Fraction_Touching"], rows)


def pattern(case: Case, compatible: bool) -> dict:
    points = {}
    for label in np.unique(case.spots[case.spots > 0]):
        y, x = (int(np.mean(axis)) for axis in np.nonzero(case.spots == label))
        points[int(label)] = (y, x, int(case.labels[y, x]))
    rows = []
    for label, (y, x, reference) in points.items():
        if reference == 0:
            rows.append([math.nan] * 8)
            continue
        index = case.numbers.index(reference)
        mask, (top, left) = case.masks[index], case.corners[index]
        border = ndimage.distance_transform_edt(mask)[y - top, x - left] ** (2 if compatible else 1)
        others = [(a, b) for name, (a, b, c) in points.items() if c == reference and name != label]
        distances = np.array([math.hypot(a - y, b - x) for a, b in others])
        near = [distances.min(), distances.mean(), distances.std()] if others else [math.nan] * 3
        rows.append([value for absolute in [border, *near] for value in [absolute, absolute / mask.sum()]])
    kinds = ["absolute", "relative"]
    names = [f"{kind}-distance-to-{where}" for where in ["border", "nearest-neighbor"] for kind in kinds]
    names += [f"{what}-{kind}-distance-to-neighbors" for what in ["mean", "std"] for kind in kinds]
    return columns([f"PointPattern_{name}" for name in names], rows)


def aggregate(case: Case) -> dict:
    features = pattern(case, False)
    numbers = [int(label) for label in np.unique(case.spots[case.spots > 0])]
    inside = [np.unique(case.spots[(case.labels == label) & (case.spots > 0)]) for label in case.numbers]
    inside = [[numbers.index(label) for label in labels] for labels in inside]
    wanted = {"Count": [len(indices) for indices in inside]}
    for name, values in features.items():
        parts = [np.array(values)[indices] for indices in inside]
        parts = [part[~np.isnan(part)] for part in parts]
        for statistic, function in {"Mean": np.mean, "Std": np.std, "Sum": np.sum}.items():
            wanted[f"{statistic}_{name}"] = [function(part) if len(part) else math.nan for part in parts]
    return wanted


def tolerance(name: str, wanted: np.ndarray, hu_scale: np.ndarray) -> np.ndarray:
    """What a value may differ by."""
    if name.startswith("Texture_Hu-"):
        # Sums of products of moments: each is known to a share of its largest term.
        return 1e-9 * hu_scale ** [1, 2, 3, 3, 6, 4, 6][int(name[-1])]
    if name in ("Morphology_Minor_Axis_Length", "Morphology_Eccentricity", "Morphology_Elongation"):
        # scikit-image takes the root of a difference, which is some 1e-12 for a line where we have 0.
        return np.full_like(wanted, 1e-5)
    return RELATIVE * np.abs(wanted) + ABSOLUTE


def compare(where: str, table: dict, labels: list, wanted: dict, hu_scale: np.ndarray) -> list:
    """The columns that differ, in words."""
    assert table["labels"] == labels, f"{where}: labels {table['labels']}, {labels} are wanted"
    names = [name for name, _ in table["columns"]]
    assert names == list(wanted), f"{where}: columns {names}, {list(wanted)} are wanted"
    problems = []
    for name, values in table["columns"]:
        actual = np.array([math.nan if value is None else value for value in values], np.float64)
        expected = np.array(wanted[name], np.float64)
        with np.errstate(invalid="ignore"):
            same = np.abs(actual - expected) <= tolerance(name, expected, hu_scale)
        wrong = np.flatnonzero(~(same | np.isnan(actual) & np.isnan(expected)))
        if len(wrong):
            first = wrong[0]
            problems.append(f"{where} {name}: {len(wrong)} of {len(labels)} differ; object {labels[first]} has "
                            f"{actual[first]!r}, {expected[first]!r} is wanted")
    return problems


def main(directory: Path) -> None:
    warnings.simplefilter("ignore")
    problems, cases = [], sorted(directory.iterdir())
    for folder in cases:
        case, tables = Case(folder), json.loads((folder / "tables.json").read_text())
        assert len(case.numbers) > 2, f"{folder}: too few objects"
        points = [int(label) for label in np.unique(case.spots[case.spots > 0])]
        wanted = {
            "intensity": (case.numbers, intensity(case)),
            "zernike": (case.numbers, zernike(case)),
            "aggregate": (case.numbers, aggregate(case)),
        }
        for kind, compatible in [("new", False), ("compatible", True)]:
            wanted[f"shape-{kind}"] = (case.numbers, shape(case, compatible))
            wanted[f"texture-{kind}"] = (case.numbers, texture(case, compatible))
            wanted[f"neighbours-{kind}"] = (case.numbers, neighbours(case, compatible))
            wanted[f"pattern-{kind}"] = (points, pattern(case, compatible))
        assert sorted(tables) == sorted(wanted), f"{folder}: tables {sorted(tables)}"
        hu_scale = np.maximum(wanted["texture-new"][1]["Texture_Hu-0"], 1e-6)
        for name, (labels, expected) in wanted.items():
            problems += compare(f"case {folder.name}, {name}", tables[name], labels, expected, hu_scale)
    if problems:
        sys.exit("\n".join([*problems, f"{len(problems)} columns differ"]))
    print(f"OK: {len(cases)} cases")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
