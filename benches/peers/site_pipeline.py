"""The benchmark pipeline at one site, written with scikit-image, mahotas, scipy and OpenCV.

    site_pipeline.py DIRECTORY RUNS

DIRECTORY holds channel_1.npy, channel_3.npy, channel_4.npy and channel_5.npy (uint16). The modules are those of
tests/fixtures/jterator/benchmark with the same settings, on one thread. Each uses a library that is made for its work;
objects are gone through one by one only where no library measures all at once. Writes JSON: the median time of each
module, of a whole run, and the objects that were found with the number of values measured of each.

Where definitions differ from those of the engine:

* detect_blobs: the libraries have no multi-level deblending. Spots that touch are told apart by a watershed from their
  local maxima, and parts of less than min_area pixels are dropped.
* smooth: in single precision (OpenCV).
* measure_morphology: solidity of scikit-image, whose hull counts corners of pixels.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import cv2
import mahotas
import numpy as np
import scipy
import skimage
from scipy import ndimage
from scipy.spatial.distance import cdist
from skimage.measure import regionprops, regionprops_table
from skimage.segmentation import watershed

cv2.setNumThreads(1)

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
SQUARE = np.ones((3, 3), bool)


def label(mask, connectivity):
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=connectivity, ltype=cv2.CV_32S)[1]


def smooth(image, sigma):
    side = 2 * int(4 * sigma + 0.5) + 1
    smoothed = cv2.GaussianBlur(image.astype(np.float32), (side, side), sigma, borderType=cv2.BORDER_REFLECT)
    return smoothed.astype(np.uint16)


def percentile(image, share):
    counts = np.cumsum(np.bincount(image.ravel(), minlength=1 << 16))
    return int(np.searchsorted(counts, share / 100 * counts[-1]))


def threshold_adaptive(image, side, constant, min_threshold):
    lower, upper = int(image.min()), percentile(image, 99.99)
    table = np.clip((np.arange(1 << 16) - lower) * 255.0 / (upper - lower), 0, 255).astype(np.uint8)
    stretched = table[image]
    window = dict(ddepth=cv2.CV_64F, ksize=(side, side), borderType=cv2.BORDER_REPLICATE)
    mean, squares = cv2.boxFilter(stretched, **window), cv2.sqrBoxFilter(stretched, **window)
    deviation = np.sqrt(np.maximum(squares - mean * mean, 0))
    return (stretched > np.rint(mean + constant * deviation)) & (image >= min_threshold)


def fill(mask, connectivity):
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(padded, None, (0, 0), 2, flags=connectivity)
    return padded[1:-1, 1:-1] != 2


def is_clump(region, min_area, max_area, max_convexity, max_circularity):
    # Cheap features first.
    if not min_area < region.area <= max_area or region.solidity > max_convexity:
        return False
    return 4 * np.pi * region.area / region.perimeter**2 <= max_circularity


def two_peaks(mask):
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) ** 2
    depth = (distance * (255 / distance.max())).astype(np.uint8)
    peaks = depth > mahotas.otsu(depth)
    markers = label(peaks, 4)
    while markers.max() == 1:
        peaks = peaks.astype(np.uint8)
        cross = CROSS.astype(np.uint8)
        peaks = cv2.morphologyEx(cv2.erode(peaks, cross), cv2.MORPH_OPEN, cross) > 0
        markers = label(peaks, 4)
    if markers.max() < 2:
        return depth, None
    largest = np.argsort(np.bincount(markers.ravel())[1:])[-2:] + 1
    return depth, np.where(markers == largest[1], 1, np.where(markers == largest[0], 2, 0))


def separate_clumps(mask, min_cut_area, **rules):
    labels = label(mask, 8)
    separated = mask.copy()
    waiting = [(0, 0, labels)]
    while waiting:
        top, left, labels = waiting.pop()
        for region in regionprops(labels):
            if not is_clump(region, **rules):
                continue
            clump = np.pad(region.image, 1)
            depth, markers = two_peaks(clump)
            if markers is None:
                continue
            parts = watershed(255 - depth, markers)
            line = mahotas.borders(parts, SQUARE) & clump
            parts = label(clump & ~line, 8)
            areas = np.bincount(parts.ravel())
            if len(areas) > 3 and areas[1:].min() < 10:
                line |= (areas < 10)[parts]
                parts = label(clump & ~line, 8)
                areas = np.bincount(parts.ravel())
            if len(areas) < 3 or areas[1:].min() <= min_cut_area:
                continue
            row, column = top + region.bbox[0], left + region.bbox[1]
            height, width = region.image.shape
            separated[row : row + height, column : column + width][line[1:-1, 1:-1]] = False
            waiting.append((row, column, parts[1:-1, 1:-1]))
    return label(separated, 8)


def keep_large(labels, least):
    kept = np.bincount(labels.ravel()) >= least
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return numbers[labels]


def segment_secondary(primary, image, contrast_threshold, min_threshold, max_threshold):
    y, x = np.mgrid[-4:5, -4:5]
    disc = (y * y + x * x < 25).astype(np.uint8)
    least, largest = cv2.erode(image, disc).astype(np.int32), cv2.dilate(image, disc).astype(np.int32)
    background = np.where(
        largest - least < contrast_threshold,
        image <= (min_threshold + max_threshold) / 2,
        2 * image.astype(np.int32) <= largest + least,
    )
    background = (background | (image < min_threshold)) & (image <= max_threshold)
    of_background = int(primary.max()) + 1
    markers = np.where(primary > 0, primary, background * np.int32(of_background))
    cells = watershed(np.uint16(65535) - image, markers)
    cells[cells == of_background] = 0
    foreground = cells > 0
    holes = label(fill(foreground, 4) & ~foreground, 4)
    for hole, box in enumerate(ndimage.find_objects(holes), 1):
        around = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        inside = holes[around] == hole
        rim = cells[around][cv2.dilate(inside.astype(np.uint8), CROSS.astype(np.uint8)).astype(bool) & ~inside]
        if rim.min() == rim.max():
            cells[around][inside] = rim[0]
    return cells


def clip(labels, mask):
    return np.where(mask, 0, labels)


def log_kernel(side):
    sigma = (side - 1) / 3
    y, x = np.mgrid[-(side // 2) : (side + 1) // 2, -(side // 2) : (side + 1) // 2]
    bell = np.exp(-(y * y + x * x) / (2 * sigma**2))
    kernel = bell / bell.sum() * (y * y + x * x - 2 * sigma**2) / sigma**4
    return kernel - kernel.mean()


def detect_blobs(image, mask, threshold, min_area, mean_area, max_area):
    clipped = np.minimum(image, percentile(image, 99.999)).astype(np.float32)
    kernel = -log_kernel(mean_area)[::-1, ::-1].astype(np.float32)
    response = np.maximum(cv2.filter2D(clipped, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT), 0)
    sets = label(response > threshold, 4)
    large = np.bincount(sets.ravel()) >= max_area
    large[0] = False
    too_large = large[sets]
    response[too_large] = 0
    detections = keep_large(label(response > threshold, 8), min_area)
    peaks = (response == cv2.dilate(response, SQUARE.astype(np.uint8))) & (detections > 0)
    markers = label(peaks, 8)
    blobs = keep_large(watershed(-response, markers, connectivity=2, mask=detections > 0), min_area)
    inner = cv2.erode(mask.astype(np.uint8), CROSS.astype(np.uint8)) > 0
    blobs[too_large | ~inner] = 0
    blobs = keep_large(blobs, 1)
    # A pixel for each blob, at its centre of response.
    count = int(blobs.max())
    places = blobs.ravel()
    weights = np.bincount(places, response.ravel(), count + 1)
    rows, columns = np.indices(blobs.shape, sparse=True)
    down = np.bincount(places, (response * rows).ravel(), count + 1)[1:] / weights[1:]
    right = np.bincount(places, (response * columns).ravel(), count + 1)[1:] / weights[1:]
    centroids = np.zeros_like(blobs)
    centroids[down.astype(int), right.astype(int)] = np.arange(1, count + 1)
    return centroids, blobs


def measure_point_pattern(points, references, reference_count):
    count = int(points.max())
    centres = np.array(ndimage.center_of_mass(points > 0, points, np.arange(1, count + 1))).astype(int)
    values = np.full((count, 8), np.nan)
    parents = references[centres[:, 0], centres[:, 1]]
    for reference, box in enumerate(ndimage.find_objects(references), 1):
        inside = np.flatnonzero(parents == reference)
        if box is None or len(inside) == 0:
            continue
        mask = np.pad(references[box] == reference, 1)
        area = np.count_nonzero(mask)
        borders = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        local = centres[inside] - [box[0].start - 1, box[1].start - 1]
        absolute = [borders[local[:, 0], local[:, 1]]]
        if len(inside) > 1:
            others = cdist(local, local)[~np.eye(len(inside), dtype=bool)].reshape(len(inside), -1)
            absolute += [others.min(1), others.mean(1), others.std(1)]
        for column, measured in enumerate(absolute):
            values[inside, 2 * column] = measured
            values[inside, 2 * column + 1] = measured / area
    # Aggregated over the points of each reference object: count, mean, deviation, sum.
    table = [np.bincount(parents, minlength=reference_count + 1)[1:]]
    for column in values.T:
        known = np.isfinite(column)
        of, column = parents[known], column[known]
        number = np.bincount(of, minlength=reference_count + 1)[1:]
        total = np.bincount(of, column, reference_count + 1)[1:]
        with np.errstate(invalid="ignore"):
            mean = total / number
            squares = np.bincount(of, column * column, reference_count + 1)[1:] / number
        table += [mean, np.sqrt(np.maximum(squares - mean * mean, 0)), np.where(number > 0, total, np.nan)]
    return table


def measure_intensity(labels, image):
    count = int(labels.max())
    inside = labels > 0
    places, values = labels[inside], image[inside]
    pixels = np.bincount(places, minlength=count + 1)[1:]
    wide = values.astype(np.float64)
    total = np.bincount(places, wide, count + 1)[1:]
    squares = np.bincount(places, wide * wide, count + 1)[1:]
    largest, least = np.zeros(count + 1, np.uint16), np.full(count + 1, 65535, np.uint16)
    np.maximum.at(largest, places, values)
    np.minimum.at(least, places, values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / pixels
        deviation = np.sqrt(np.maximum(squares / pixels - mean * mean, 0))
    return [largest[1:], mean, least[1:], total, deviation]


PROPERTIES = [
    "centroid", "area", "perimeter", "eccentricity", "extent", "solidity", "equivalent_diameter_area",
    "axis_major_length", "axis_minor_length",
]


def measure_morphology(labels):
    count = int(labels.max())
    table = regionprops_table(labels, properties=PROPERTIES)
    area, perimeter = table["area"], table["perimeter"]
    major, minor = table["axis_major_length"], table["axis_minor_length"]
    border, maximum, mean = np.zeros(count), np.zeros(count), np.zeros(count)
    boxes = [(index, box) for index, box in enumerate(ndimage.find_objects(labels)) if box is not None]
    for index, box in boxes:
        mask = np.pad(labels[box] == index + 1, 1).astype(np.uint8)
        distance = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        inside = distance[mask > 0]
        border[index], maximum[index], mean[index] = np.count_nonzero(inside <= 1), inside.max(), inside.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        circularity = 4 * np.pi * area / perimeter**2
        elongation = (major - minor) / major
    border = border[[index for index, _ in boxes]]
    return [*table.values(), circularity, border**2 / (4 * np.pi * area), elongation, maximum, mean]


def gabor(y, x, values, wavelengths):
    sigma = np.sqrt(len(values) / np.pi) / 3
    bell = 1000 / (2 * np.pi * sigma**2) * np.exp(-(y * y + x * x) / (2 * sigma**2))
    weighted = (values - values.mean()) * bell
    responses = []
    for wavelength in wavelengths:
        strongest = 0
        for angle in np.arange(4) * np.pi / 4:
            phase = 2 * np.pi / wavelength * (y * np.cos(angle) + x * np.sin(angle))
            response = np.hypot(weighted @ np.cos(phase), weighted @ np.sin(phase))
            strongest = max(strongest, response)
        responses.append(strongest)
    return responses


def measure_texture(labels, image, wavelengths=(1, 5, 10)):
    table = []
    for index, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        mask = labels[box] == index
        y, x = np.nonzero(mask)
        values = image[box][mask].astype(np.float64)
        row = gabor(y - y.mean(), x - x.mean(), values, wavelengths)
        moments = cv2.moments(np.where(mask, image[box], 0).astype(np.float32))
        table.append([*row, *cv2.HuMoments(moments).ravel()])
    return list(np.array(table).T)


class Times:
    """The times of the modules of one run, and the values measured."""

    def __init__(self):
        self.seconds = {}
        self.features = {}

    def __call__(self, module, work, *inputs, **settings):
        start = time.perf_counter()
        made = work(*inputs, **settings)
        self.seconds[module] = time.perf_counter() - start
        return made

    def measure(self, module, owner, work, *inputs):
        columns = self(module, work, *inputs)
        self.features[owner] = self.features.get(owner, 0) + len(columns)


def run(channels):
    dapi, mito, trace, fish = (channels[name] for name in "1345")
    times = Times()
    smooth_dapi = times("smooth_dapi", smooth, dapi, 5)
    mask = times("threshold_adaptive", threshold_adaptive, smooth_dapi, side=211, constant=0, min_threshold=110)
    mask = times("fill", fill, mask, connectivity=8)
    clumps = dict(min_cut_area=2000, max_convexity=0.9, max_circularity=0.7, min_area=7500, max_area=75000)
    separated = times("separate_clumps", separate_clumps, mask, **clumps)
    kept = times("filter", keep_large, separated, 700)
    nuclei = times("label", lambda labels: label(labels > 0, 4), kept)
    smooth_trace = times("smooth_celltrace", smooth, trace, 10)
    rules = dict(contrast_threshold=5, min_threshold=125, max_threshold=140)
    cells = times("segment_secondary", segment_secondary, nuclei, smooth_trace, **rules)
    cytoplasms = times("clip", clip, cells, mask)
    spots = dict(threshold=2, min_area=3, mean_area=5, max_area=100)
    _, transcripts = times("detect_blobs", detect_blobs, fish, cells > 0, **spots)
    count = int(cells.max())
    times.measure("measure_point_pattern", "Cells", measure_point_pattern, transcripts, cells, count)
    for name, objects, channel, image in [
        ("nuclei", nuclei, "1", dapi), ("nuclei", nuclei, "4", trace), ("cytoplasms", cytoplasms, "4", trace),
        ("cytoplasms", cytoplasms, "3", mito), ("cytoplasms", cytoplasms, "5", fish), ("cells", cells, "3", mito),
        ("cells", cells, "4", trace),
    ]:
        times.measure(f"measure_intensity_{name}_{channel}", "Cells", measure_intensity, objects, image)
    times.measure("measure_morphology_cells", "Cells", measure_morphology, cells)
    times.measure("measure_morphology_nuclei", "Cells", measure_morphology, nuclei)
    times.measure("measure_texture_nuclei_1", "Cells", measure_texture, nuclei, dapi)
    times.measure("measure_texture_cytoplasms_4", "Cells", measure_texture, cytoplasms, trace)
    times.measure("measure_texture_cytoplasms_3", "Cells", measure_texture, cytoplasms, mito)
    times.measure("measure_intensity_transcripts_5", "Transcripts", measure_intensity, transcripts, fish)
    times.measure("measure_morphology_transcripts", "Transcripts", measure_morphology, transcripts)
    objects = {"Cells": cells, "Transcripts": transcripts}
    found = {
        name: {"count": len(np.unique(labels)) - 1, "features": times.features[name]} for name, labels in objects.items()
    }
    return times.seconds, found


def main():
    directory, runs = Path(sys.argv[1]), int(sys.argv[2])
    channels = {name: np.load(directory / f"channel_{name}.npy") for name in "1345"}
    all_seconds = []
    for _ in range(max(runs, 1)):
        seconds, objects = run(channels)
        all_seconds.append(seconds)
    versions = [np.__version__, scipy.__version__, skimage.__version__, mahotas.__version__, cv2.__version__]
    names = ["numpy", "scipy", "scikit-image", "mahotas", "OpenCV"]
    report = {
        "libraries": ", ".join(f"{name} {version}" for name, version in zip(names, versions)),
        "modules": {name: statistics.median(run[name] for run in all_seconds) for name in all_seconds[0]},
        "seconds": statistics.median(sum(run.values()) for run in all_seconds),
        "objects": objects,
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
