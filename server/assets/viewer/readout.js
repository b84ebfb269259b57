// Where the view is, in numbers: position, zoom, level, and a scale bar.

import { byId } from './dom.js';
import { levelFor } from './images.js';

/** The scale bar is at most this long on the screen, in CSS pixels, and at most this part of the map's width. */
const BAR = 120;
const BAR_SHARE = 0.22;

/** The largest of 1, 2, 5, 10, … that is not above a value. */
function roundLength(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [5, 2, 1].find((step) => step * power <= value);
}

function percent(scale) {
  const value = 100 * scale;
  return `${value >= 10 ? Math.round(value) : Number(value.toPrecision(2))} %`;
}

/** Show what a map shows. */
export function showReadout(map) {
  const readout = byId('readout');
  readout.hidden = !map.size;
  byId('zoom').hidden = !map.size;
  const isLoading = Boolean(map.size) && map.missing > 0;
  byId('stage').classList.toggle('loading', isLoading);
  if (!map.size) return;
  const { x, y } = map.pointer ? map.placeAt(map.pointer) : map.centre;
  const level = levelFor(map.maxZoom, map.scale * map.density);
  byId('position').textContent = `x ${Math.floor(x)}  y ${Math.floor(y)}`;
  byId('zoom-percent').textContent = percent(map.scale);
  byId('level').textContent = `level ${level} of ${map.maxZoom}`;
  const length = Math.max(1, roundLength(Math.min(BAR, BAR_SHARE * map.width) / map.scale));
  byId('bar').style.width = `${length * map.scale}px`;
  byId('bar-length').textContent = `${length.toLocaleString('en')} px`;
}
