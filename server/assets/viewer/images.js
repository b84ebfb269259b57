// Images of channels: grey tiles from the server, coloured here and added up on a canvas.

import { pathOf, send } from './api.js';
import { TileStore } from './store.js';

export const TILE = 256;
const PARALLEL = 6;
const CAPACITY = 640;

const scratch = document.createElement('canvas');
scratch.width = TILE;
scratch.height = TILE;
const scratchContext = scratch.getContext('2d', { willReadFrequently: true });

/** The grey values of a tile, with the limits that the server showed it with. */
async function loadTile({ experiment, layer, z, y, x, min, max }, signal) {
  const query = new URLSearchParams({ x, y, z, min, max });
  const answer = await send(pathOf(experiment, `/channel_layers/${layer}/tiles?${query}`), { signal });
  const bitmap = await createImageBitmap(await answer.blob());
  scratchContext.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = scratchContext.getImageData(0, 0, TILE, TILE);
  const grey = new Uint8Array(TILE * TILE);
  for (let i = 0; i < grey.length; i += 1) grey[i] = data[4 * i];
  return { grey, min, max, canvas: null, tint: '' };
}

/**
 * What each of the 256 grey values of a tile looks like. They stand for intensities between the tile's limits;
 * the channel shows those between its own limits, from black to its colour.
 */
export function colourTable(tile, { colour, min, max }) {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const bytes = new Uint8ClampedArray(4 * 256);
  for (let value = 0; value < 256; value += 1) {
    const intensity = tile.min + (value / 255) * (tile.max - tile.min);
    const share = Math.min(1, Math.max(0, (intensity - min) / (max - min)));
    parts.forEach((part, index) => { bytes[4 * value + index] = share * part; });
    bytes[4 * value + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

/** A tile in the colour and contrast of its channel. */
function coloured(tile, channel) {
  const tint = `${channel.colour} ${channel.min} ${channel.max}`;
  if (tile.tint !== tint) {
    if (!tile.canvas) {
      tile.canvas = document.createElement('canvas');
      tile.canvas.width = TILE;
      tile.canvas.height = TILE;
    }
    const table = colourTable(tile, channel);
    const image = new ImageData(TILE, TILE);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = table[tile.grey[i]];
    tile.canvas.getContext('2d').putImageData(image, 0, 0);
    tile.tint = tint;
  }
  return tile.canvas;
}

/** The zoom level whose pixels are nearest to those of the screen. */
export function levelFor(maxZoom, devicePixelsPerPixel) {
  return Math.min(maxZoom, Math.max(0, Math.round(maxZoom + Math.log2(devicePixelsPerPixel))));
}

/** The tiles of a level that a view touches, nearest to its middle first. */
export function tilesInView(view, size, maxZoom, z) {
  const side = TILE * 2 ** (maxZoom - z);
  const last = (length) => Math.ceil(length / side) - 1;
  const range = (from, to, length) => [Math.max(0, Math.floor(from / side)), Math.min(last(length), Math.floor(to / side))];
  const [x0, x1] = range(view.left, view.right, size.width);
  const [y0, y1] = range(view.top, view.bottom, size.height);
  const middle = { x: (view.left + view.right) / 2 / side - 0.5, y: (view.top + view.bottom) / 2 / side - 0.5 };
  const cells = [];
  for (let y = y0; y <= y1; y += 1) {
    for (let x = x0; x <= x1; x += 1) cells.push({ z, y, x, side, rank: Math.hypot(x - middle.x, y - middle.y) });
  }
  return cells.sort((a, b) => a.rank - b.rank);
}

/** Draws the channels of an experiment. */
export class Images {
  constructor(changed, failed) {
    this.store = new TileStore({ load: loadTile, parallel: PARALLEL, capacity: CAPACITY, changed, failed });
  }

  /** Draw all channels that are switched on; `view` is in pixels of full resolution, `toScreen` places one. */
  draw(context, experiment, channels, view, toScreen) {
    this.store.begin();
    for (const channel of channels) {
      if (channel.isVisible && channel.layer) this.drawChannel(context, experiment, channel, view, toScreen);
    }
    this.store.end();
  }

  drawChannel(context, experiment, channel, view, toScreen) {
    const { id: layer, max_zoom: maxZoom, image_size: size } = channel.layer;
    const { fetchMin: min, fetchMax: max } = channel;
    const keyOf = (z, y, x) => `${layer}/${z}/${y}/${x}`;
    const want = (z, y, x, rank) =>
      this.store.want(keyOf(z, y, x), `${min} ${max}`, rank, { experiment, layer, z, y, x, min, max });
    // The smallest level is always here, so that there is something to show anywhere.
    for (const { y, x } of tilesInView({ left: 0, top: 0, right: size.width, bottom: size.height }, size, maxZoom, 0)) {
      want(0, y, x, -1);
      this.store.get(keyOf(0, y, x));
    }
    const z = levelFor(maxZoom, view.scale);
    for (const cell of tilesInView(view, size, maxZoom, z)) {
      const { y, x, side, rank } = cell;
      const box = (left, top, length) => {
        const [start, end] = [toScreen(left, top), toScreen(left + length, top + length)];
        return [start.x, start.y, end.x - start.x, end.y - start.y];
      };
      const tile = this.store.get(keyOf(z, y, x));
      // Another contrast of the same tile is shown meanwhile, and can wait for tiles that are not here at all.
      want(z, y, x, tile ? rank + 1000 : rank);
      if (tile) {
        context.drawImage(coloured(tile.value, channel), ...box(x * side, y * side, side));
      } else if (!this.drawChildren(context, channel, cell, keyOf, size, box)) {
        this.drawAncestor(context, channel, cell, keyOf, box);
      }
    }
  }

  /** The four tiles of the next level in place of one, if they are all here. */
  drawChildren(context, channel, { z, y, x, side }, keyOf, size, box) {
    if (z === channel.layer.max_zoom) return false;
    const half = side / 2;
    const children = [0, 1, 2, 3]
      .map((index) => ({ y: 2 * y + (index >> 1), x: 2 * x + (index & 1) }))
      .filter((child) => child.y * half < size.height && child.x * half < size.width);
    if (!children.every((child) => this.store.has(keyOf(z + 1, child.y, child.x)))) return false;
    for (const child of children) {
      const tile = this.store.get(keyOf(z + 1, child.y, child.x));
      context.drawImage(coloured(tile.value, channel), ...box(child.x * half, child.y * half, half));
    }
    return true;
  }

  /** The part of a smaller level that covers the place of a tile. */
  drawAncestor(context, channel, { z, y, x, side }, keyOf, box) {
    for (let up = 1; up <= z; up += 1) {
      const factor = 2 ** up;
      const tile = this.store.get(keyOf(z - up, Math.floor(y / factor), Math.floor(x / factor)));
      if (tile) {
        const part = TILE / factor;
        const source = [(x % factor) * part, (y % factor) * part, part, part];
        context.drawImage(coloured(tile.value, channel), ...source, ...box(x * side, y * side, side));
        return;
      }
    }
  }
}
