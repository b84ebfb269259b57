// Outlines of objects: vector tiles as paths, drawn over the images.

import { pathOf, send } from './api.js';
import { levelFor, tilesInView } from './images.js';
import { TileStore } from './store.js';

const PARALLEL = 3;
const CAPACITY = 160;
/** A drawing that took longer than this, in ms, is moved along while the map moves, and done again afterwards. */
const QUICK = 10;

/** The outlines of a tile as one path, and its points; in pixels of full resolution, y downwards. */
async function loadTile({ experiment, layer, z, y, x }, signal) {
  const query = new URLSearchParams({ x, y, z });
  const answer = await send(pathOf(experiment, `/segmentation_layers/${layer}/tiles?${query}`), { signal });
  const { features } = await answer.json();
  const path = new Path2D();
  const points = [];
  for (const { geometry } of features) addGeometry(path, points, geometry);
  return { path, points };
}

function addGeometry(path, points, { type, coordinates }) {
  if (type === 'Point') points.push(coordinates[0], -coordinates[1]);
  if (type === 'Polygon') coordinates.forEach((ring) => addRing(path, ring));
  if (type === 'MultiPolygon') coordinates.flat().forEach((ring) => addRing(path, ring));
}

/** The server's y points upwards, the canvas' downwards. */
function addRing(path, ring) {
  ring.forEach(([x, y], index) => (index ? path.lineTo(x, -y) : path.moveTo(x, -y)));
  path.closePath();
}

/** Draws the outlines of an experiment. */
export class Outlines {
  constructor(changed, failed) {
    const arrived = () => { this.isCurrent = false; changed(); };
    this.store = new TileStore({ load: loadTile, parallel: PARALLEL, capacity: CAPACITY, changed: arrived, failed });
    this.changed = changed;
    this.canvas = document.createElement('canvas');
    this.drawn = null;
    this.cost = 0;
    this.isCurrent = false;
    this.timer = 0;
  }

  /** Draw the types that are switched on; `maxZoom` and `size` are the map's. */
  draw(context, experiment, types, view, { maxZoom, size }) {
    const shown = types.filter((type) => type.isVisible && type.layer);
    const look = shown.map((type) => `${type.layer.id} ${type.colour}`).join();
    const place = `${view.left} ${view.top} ${view.scale} ${view.width} ${view.height}`;
    const isSame = this.isCurrent && this.drawn?.look === look && this.drawn.place === place;
    const isMoving = this.drawn?.look === look && this.drawn.place !== place && this.cost > QUICK;
    clearTimeout(this.timer);
    if (isMoving && !this.isDue) {
      this.timer = setTimeout(() => { this.isDue = true; this.changed(); }, 120);
    } else if (!isSame) {
      this.isDue = false;
      this.paint(experiment, shown, view, maxZoom, size);
      this.drawn = { look, place, view };
    }
    if (!shown.length) return;
    const { view: then } = this.drawn;
    const zoom = view.scale / then.scale;
    const shift = { x: (then.left - view.left) * view.scale, y: (then.top - view.top) * view.scale };
    context.drawImage(this.canvas, shift.x, shift.y, then.width * zoom, then.height * zoom);
  }

  paint(experiment, shown, view, maxZoom, size) {
    const started = performance.now();
    this.isCurrent = true;
    Object.assign(this.canvas, { width: view.width, height: view.height });
    const context = this.canvas.getContext('2d');
    const z = levelFor(maxZoom, view.scale);
    this.store.begin();
    for (const { layer, colour } of shown) {
      const tiles = this.tilesFor(experiment, layer.id, tilesInView(view, size, maxZoom, z), maxZoom);
      context.strokeStyle = colour;
      context.fillStyle = colour;
      context.lineJoin = 'round';
      for (const { path, points } of tiles) {
        context.setTransform(view.scale, 0, 0, view.scale, -view.left * view.scale, -view.top * view.scale);
        context.lineWidth = (1.5 * view.density) / view.scale;
        context.stroke(path);
        const dot = (3 * view.density) / view.scale;
        for (let i = 0; i < points.length; i += 2) context.fillRect(points[i] - dot / 2, points[i + 1] - dot / 2, dot, dot);
      }
    }
    this.store.end();
    this.cost = performance.now() - started;
  }

  /** The tiles of these cells, or of a smaller level where they are still to come. */
  tilesFor(experiment, layer, cells, maxZoom) {
    const keyOf = (z, y, x) => `${layer}/${z}/${y}/${x}`;
    const found = new Set();
    for (const { z, y, x, rank } of cells) {
      this.store.want(keyOf(z, y, x), '', rank, { experiment, layer, z, y, x });
      for (let up = 0; up <= z; up += 1) {
        const tile = this.store.get(keyOf(z - up, y >> up, x >> up));
        if (tile) {
          found.add(tile.value);
          break;
        }
      }
    }
    return found;
  }

  makeStale() {
    this.store.makeStale();
    this.isCurrent = false;
  }

  clear() {
    this.store.clear();
    this.isCurrent = false;
    this.drawn = null;
  }
}
