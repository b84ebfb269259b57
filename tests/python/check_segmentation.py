"""Recompute filters, thresholds, labelling, morphology, watershed and growth with scipy, scikit-image and OpenCV.

    check_segmentation.py DIRECTORY

Every folder of DIRECTORY is a case: case.json ({"operation": "median", "side": 5}), the inputs image.npy, labels.npy,
mask.npy or markers.npy, and what the engine made of them, output.npy. Exit status 0 only if every case agrees, within
the tolerance that its check states, and every check was asked for.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import scipy.ndimage as ndi
import skimage.filters
import skimage.measure
import skimage.segmentation

CROSS = ndi.generate_binary_structure(2, 1)
SQUARE = ndi.generate_binary_structure(2, 2)
# What the engine adds before it cuts a Gaussian off.
NOT_QUITE_WHOLE = 2.0**-20


def equal(expected, actual, what="pixels"):
    expected = np.asarray(expected)
    assert expected.shape == actual.shape, f"shape {actual.shape}, wanted {expected.shape}"
    differing = np.argwhere(expected.astype(np.int64) != actual.astype(np.int64))
    assert len(differing) == 0, (
        f"{len(differing)} {what} differ, first {tuple(differing[0])}: "
        f"{actual[tuple(differing[0])]}, wanted {expected[tuple(differing[0])]}"
    )


def cut_off(expected, actual, slack=1e-6):
    """Whole parts are equal, but where the value is whole to within `slack`."""
    least, most = np.floor(expected + NOT_QUITE_WHOLE - slack), np.floor(expected + NOT_QUITE_WHOLE + slack)
    wrong = (actual < least) | (actual > most)
    assert not wrong.any(), f"{wrong.sum()} pixels differ"


def average(case, image, output):
    ones = np.ones((case["side"],) * 2, np.int64)
    sums = ndi.correlate(image.astype(np.int64), ones, mode="constant")
    counts = ndi.correlate(np.ones_like(image, np.int64), ones, mode="constant")
    equal(sums // counts, output)


def gaussian(case, image, output):
    cut_off(ndi.gaussian_filter(image.astype(float), case["sigma"], mode="reflect", truncate=4.0), output)


def median(case, image, output):
    equal(ndi.median_filter(image, size=case["side"], mode="reflect"), output)


def bilateral(case, image, output):
    # OpenCV looks its weights up in a table of 4096 differences: too coarse for 16 bits and a small n.
    n, (height, width) = case["side"], image.shape
    radius = int(1.5 * n + 0.5)
    padded = np.pad(image.astype(float), radius, mode="reflect")
    sums, weights = np.zeros(image.shape), np.zeros(image.shape)
    for y, x in np.argwhere(disc(radius**2)):
        values = padded[y : y + height, x : x + width]
        square = (y - radius) ** 2 + (x - radius) ** 2 + (values - image) ** 2
        weight = np.exp(-square / (2 * n**2))
        sums += weight * values
        weights += weight
    cut_off(sums / weights + 2.0**-10, output, slack=0.01)


def disc(radius_squared):
    reach = int(radius_squared**0.5)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return y**2 + x**2 <= radius_squared


def maximum(case, image, output):
    equal(ndi.maximum_filter(image, footprint=disc(case["radius_squared"]), mode="reflect"), output)


def minimum(case, image, output):
    equal(ndi.minimum_filter(image, footprint=disc(case["radius_squared"]), mode="reflect"), output)


def spot_response(case, image, output):
    s = case["size"]
    sigma = (s - 1) / 3
    y, x = np.mgrid[-(s // 2) : -(-s // 2), -(s // 2) : -(-s // 2)].astype(float)
    g = np.exp(-(y**2 + x**2) / (2 * sigma**2))
    kernel = g / g.sum() * (y**2 + x**2 - 2 * sigma**2) / sigma**4
    kernel -= kernel.mean()
    expected = np.maximum(ndi.convolve(image.astype(float), -kernel, mode="reflect"), 0)
    assert np.allclose(expected, output, rtol=1e-5, atol=1e-5 * 65535 * np.abs(kernel).max()), (
        f"up to {np.abs(expected - output).max()} off"
    )


def otsu(case, image, output):
    if image.min() == image.max():
        assert output[0, 0] == 0, f"{output[0, 0]} for one value"
        return
    expected = skimage.filters.threshold_otsu(image)
    assert output[0, 0] == expected, f"{output[0, 0]}, wanted {expected}"


def percentile(case, image, output):
    expected = np.percentile(image, case["percentile"])
    assert abs(output[0, 0] - expected) < 1e-6, f"{output[0, 0]}, wanted {expected}"


def stretched(image, percentile=99.99):
    lower, upper = int(image.min()), int(np.percentile(image, percentile))
    if lower == upper:
        return np.zeros(image.shape, np.uint8)
    values = np.clip(image.astype(np.int64), lower, upper)
    ramp = 255 * (values - lower) // max(upper - lower - 1, 1)
    return np.where(values >= upper, 255, np.where(upper - lower == 1, 0, ramp)).astype(np.uint8)


def decided(case, image, below, above):
    """Foreground where both bounds of an uncertain result agree; the extremes by the pixel itself."""
    for foreground in (below, above):
        foreground[image < case["min"]] = False
        foreground[image > case["max"]] = True
    return below, above


def niblack(case, image, output):
    v, k = stretched(image).astype(float), case["side"]
    mean = ndi.correlate(v, np.ones((k, k)), mode="nearest") / k**2
    square = ndi.correlate(v**2, np.ones((k, k)), mode="nearest") / k**2
    threshold = mean + case["constant"] * np.sqrt(np.maximum(square - mean**2, 0))
    # Rounding to a whole threshold may go either way within the precision of the sums.
    most = v > np.clip(np.rint(threshold - 1e-6), 0, 255)
    least = v > np.clip(np.rint(threshold + 1e-6), 0, 255)
    least, most = decided(case, image, least, most)
    assert (output >= least).all() and (output <= most).all(), f"{((output < least) | (output > most)).sum()} differ"


def crosscorr(case, image, output):
    v, k = stretched(image), case["side"]
    foreground = cv2.adaptiveThreshold(
        v, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, k, int(case["constant"])
    )
    foreground, _ = decided(case, image, foreground > 0, foreground > 0)
    # OpenCV sums in single precision: a mean of about a half may round either way.
    share = (foreground == output).mean()
    assert share >= 0.995, f"{share:.3%} equal"


def label4(case, mask, output):
    equal(skimage.measure.label(mask, connectivity=1), output)


def label8(case, mask, output):
    equal(skimage.measure.label(mask, connectivity=2), output)


def fill4(case, mask, output):
    equal(ndi.binary_fill_holes(mask, CROSS), output)


def fill8(case, mask, output):
    equal(ndi.binary_fill_holes(mask, SQUARE), output)


def erode(case, mask, output):
    equal(ndi.binary_erosion(mask, disc(case["radius_squared"]), border_value=1), output)


def dilate(case, mask, output):
    equal(ndi.binary_dilation(mask, disc(case["radius_squared"])), output)


def opened(case, mask, output):
    element = disc(case["radius_squared"])
    equal(ndi.binary_dilation(ndi.binary_erosion(mask, element, border_value=1), element), output)


def borders(case, labels, output):
    equal(skimage.segmentation.find_boundaries(labels, connectivity=case["connectivity"], mode="thick"), output)


def watershed(case, image, output, markers, mask):
    # All surface values differ, so ties play no part.
    assert len(np.unique(image)) == image.size
    equal(skimage.segmentation.watershed(image, markers, connectivity=1, mask=mask.astype(bool)), output)


def expand(case, labels, output):
    distance = case["distance"]
    found = skimage.segmentation.expand_labels(labels, distance=distance)
    equal(found > 0, output > 0, "pixels of any object")
    if labels.any():
        nearest = ndi.distance_transform_edt(labels == 0)
        for label in np.unique(labels[labels > 0]):
            own = ndi.distance_transform_edt(labels != label)
            assert np.allclose(own[output == label], nearest[output == label]), f"{label} took pixels of others"


def shrink(case, labels, output):
    expected = labels.copy()
    for label in np.unique(labels[labels > 0]):
        own = labels == label
        if not own.all():
            expected[own & (ndi.distance_transform_edt(own) <= case["distance"])] = 0
    equal(expected, output)


CHECKS = {
    check.__name__: check
    for check in (
        average, gaussian, median, bilateral, maximum, minimum, spot_response, otsu, percentile, niblack, crosscorr,
        label4, label8, fill4, fill8, erode, dilate, opened, borders, watershed, expand, shrink,
    )  # fmt: skip
}


def main(directory: Path) -> None:
    done, failed = set(), []
    folders = sorted(path for path in directory.iterdir())
    for folder in folders:
        case = json.loads((folder / "case.json").read_text())
        arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
        output = arrays.pop("output")
        first = next(arrays.pop(name) for name in ("image", "labels", "mask") if name in arrays)
        try:
            CHECKS[case["operation"]](case, first, output, **arrays)
        except AssertionError as error:
            failed.append(f"{folder.name} {case} {first.dtype} {first.shape}: {error}")
        done.add(case["operation"])
    assert done == set(CHECKS), f"never asked for: {set(CHECKS) - done}"
    assert not failed, "\n".join(failed)
    print(f"OK: {len(folders)} cases")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
