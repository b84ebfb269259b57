"""Read Mapbox vector tiles with another decoder, and compare them with the GeoJSON of the same tiles.

    check_mvt.py DIRECTORY

`tiles.json` in DIRECTORY lists the tiles: their place on the map, their objects clipped and whole; beside it lies
`NAME.mvt` for each. Exit status 0 only if all agree.
"""

import json
import sys
from pathlib import Path

import mapbox_vector_tile
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from shapely.affinity import affine_transform
from shapely.geometry import box, shape

EXTENT = 4096


def areas(commands: list[int]) -> list[float]:
    """Twice the area of every ring of a polygon, positive when it runs clockwise on screen; by the specification."""
    found, ring, x, y, place = [], [], 0, 0, 0
    while place < len(commands):
        command, count = commands[place] & 7, commands[place] >> 3
        place += 1
        if command == 7:
            ends = ring[1:] + ring[:1]
            found.append(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, ends, strict=True)))
            ring = []
            continue
        for _ in range(count):
            dx, dy = ((value >> 1) ^ -(value & 1) for value in commands[place : place + 2])
            x, y, place = x + dx, y + dy, place + 2
            ring.append((x, y))
    assert not ring, "a ring is not closed"
    return found


directory = Path(sys.argv[1])
count = 0
for tile in json.loads((directory / "tiles.json").read_text()):
    name, left, top, side = tile["name"], tile["left"], tile["top"], tile["side"]
    decoded = mapbox_vector_tile.decode(
        (directory / f"{name}.mvt").read_bytes(), default_options={"y_coord_down": True}
    )
    layers = list(decoded)
    clipped = {feature["id"]: shape(feature["geometry"]) for feature in tile["clipped"]}
    whole = {feature["id"]: shape(feature["geometry"]) for feature in tile["whole"]}
    if not layers:
        assert not clipped, f"{name} is empty"
        continue
    assert layers == ["Cells"], layers
    layer = decoded["Cells"]
    assert (layer["extent"], layer["version"]) == (EXTENT, 2), layer
    unit, buffer = side / EXTENT, side / 64
    frame = box(left - buffer, -(top + side + buffer), left + side + buffer, -(top - buffer))
    found = {feature["id"]: feature for feature in layer["features"]}
    assert len(found) == len(layer["features"]), f"{name}: an object comes twice"
    assert set(found) == set(clipped), f"{name}: other objects"
    raw = vector_tile_pb2.tile()
    raw.ParseFromString((directory / f"{name}.mvt").read_bytes())
    for feature in raw.layers[0].features:
        if feature.type == 3:
            rings = areas(list(feature.geometry))
            # A shell is positive, the holes after it are negative.
            assert rings[0] > 0 and all(rings), f"{name}: object {feature.id} has rings of {rings}"
            inside = shape(found[feature.id]["geometry"])
            shells = len(inside.geoms) if inside.geom_type == "MultiPolygon" else 1
            assert sum(area > 0 for area in rings) == shells, f"{name}: object {feature.id}"
    for object_id, feature in found.items():
        assert feature["properties"] == {"type": "Cells"}, feature["properties"]
        # x right, y down, in units of the tile, to the map.
        geometry = affine_transform(shape(feature["geometry"]), [unit, 0, 0, -unit, left, -top])
        inside = whole[object_id].buffer(0).intersection(frame)
        if geometry.geom_type == "Point":
            assert inside.area <= 16 * unit * unit, f"{name}: object {object_id} is a point"
            continue
        # Rounding moves a border by half a unit at most.
        allowed = (inside.length + 8 * unit) * unit
        for other in (clipped[object_id].buffer(0), inside):
            difference = geometry.buffer(0).symmetric_difference(other).area
            assert difference <= allowed, f"{name}: object {object_id} differs by {difference}, not {allowed}"
        assert frame.buffer(unit).contains(geometry), f"{name}: object {object_id} leaves its frame"
        count += 1
print(f"OK: {count} outlines")
