// The map: where the view is, and what is drawn there.

import { Gestures } from './gestures.js';
import { Images } from './images.js';
import { Outlines } from './outlines.js';

/** How many screen pixels a pixel of full resolution takes at most. */
const LARGEST_SCALE = 32;
const ANIMATION_MS = 180;
const SURROUNDINGS = '#14171b';

const isCalm = matchMedia('(prefers-reduced-motion: reduce)');

/** A canvas with a view that can be moved. Positions are pixels of full resolution, y downwards. */
export class MapView {
  /**
   * @param moved called after each drawing, with the map
   * @param failed called with errors of tiles
   */
  constructor(canvas, { moved, failed }) {
    this.canvas = canvas;
    this.moved = moved;
    const changed = () => this.redraw();
    this.images = new Images(changed, failed);
    this.outlines = new Outlines(changed, failed);
    this.content = { experiment: null, channels: [], types: [] };
    this.size = null;
    this.centre = { x: 0, y: 0 };
    /** Screen pixels (of CSS) per pixel of full resolution. */
    this.scale = 1;
    this.pointer = null;
    this.frame = 0;
    this.animation = null;
    this.pending = null;
    this.gestures = new Gestures(this, canvas);
    new ResizeObserver(() => this.resized()).observe(canvas);
  }

  /** Show an experiment: its channels and types of objects, and what the map measures; at `place`, or all of it. */
  show(content, size, maxZoom, place) {
    if (content.experiment !== this.content.experiment) {
      this.images.store.clear();
      this.outlines.clear();
      this.size = null;
    }
    const isNew = !this.size;
    this.content = content;
    this.size = size;
    this.maxZoom = maxZoom;
    if (size && (isNew || place)) {
      this.pending = place ?? 'all';
      this.settle();
    }
    this.redraw();
  }

  /** Go where the view is to be, once the canvas has a size. */
  settle() {
    if (!this.pending || !this.width || !this.size) return;
    const place = this.pending;
    this.pending = null;
    if (place === 'all') {
      this.fit(false);
    } else {
      this.moveTo(place, place.scale, false);
    }
  }

  resized() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const density = Math.min(3, window.devicePixelRatio || 1);
    const isSame = this.width === width && this.height === height && this.density === density;
    if (isSame) return;
    Object.assign(this, { width, height, density });
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    this.settle();
    // At once: a canvas that was given a size is empty.
    this.draw();
  }

  /** The scale at which all of the map is in view. */
  get fittingScale() {
    return 0.96 * Math.min(this.width / this.size.width, this.height / this.size.height);
  }

  fit(isSmooth = true) {
    if (!this.size || !this.width) return;
    const middle = { x: this.size.width / 2, y: this.size.height / 2 };
    this.moveTo(middle, Math.min(this.fittingScale, 1), isSmooth);
  }

  /** Put `centre` in the middle of the canvas, at a scale. */
  moveTo(centre, scale, isSmooth = true) {
    if (!this.size || !this.width) return;
    const goal = { ...this.clamped(centre), scale: this.clampedScale(scale) };
    if (!isSmooth || isCalm.matches) {
      this.animation = null;
      this.centre = { x: goal.x, y: goal.y };
      this.scale = goal.scale;
    } else {
      this.animation = { from: { ...this.centre, scale: this.scale }, goal, started: performance.now() };
    }
    this.redraw();
  }

  clampedScale(scale) {
    const smallest = Math.min(this.fittingScale / 2, 1);
    return Math.min(LARGEST_SCALE, Math.max(smallest, scale));
  }

  clamped({ x, y }) {
    const within = (value, length) => Math.min(length, Math.max(0, value));
    return { x: within(x, this.size.width), y: within(y, this.size.height) };
  }

  /** Where the view will be when it stops moving. */
  get goal() {
    return this.animation?.goal ?? { ...this.centre, scale: this.scale };
  }

  /** Move by screen pixels. */
  panBy(dx, dy, isSmooth = false) {
    const { x, y, scale } = this.goal;
    this.moveTo({ x: x + dx / scale, y: y + dy / scale }, scale, isSmooth);
  }

  /** Zoom by a factor, with the place below a point of the canvas (its middle if absent) staying there. */
  zoomBy(factor, point, isSmooth = false) {
    if (!this.size) return;
    const { x, y, scale } = this.goal;
    const next = this.clampedScale(scale * factor);
    const away = point ? { x: point.x - this.width / 2, y: point.y - this.height / 2 } : { x: 0, y: 0 };
    const shift = 1 / scale - 1 / next;
    this.moveTo({ x: x + away.x * shift, y: y + away.y * shift }, next, isSmooth);
  }

  /** The place below a point of the canvas. */
  placeAt(point) {
    return {
      x: this.centre.x + (point.x - this.width / 2) / this.scale,
      y: this.centre.y + (point.y - this.height / 2) / this.scale,
    };
  }

  redraw() {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  /** How many tiles of what is in view are still to come. */
  get missing() {
    return this.images.store.missing + this.outlines.store.missing;
  }

  makeStale() {
    this.images.store.makeStale();
    this.outlines.makeStale();
    this.redraw();
  }

  animate() {
    if (!this.animation) return;
    const { from, goal, started } = this.animation;
    const time = Math.min(1, (performance.now() - started) / ANIMATION_MS);
    const eased = 1 - (1 - time) ** 3;
    this.scale = from.scale * (goal.scale / from.scale) ** eased;
    // The place that stays where it is during a zoom does so on the way, too.
    const ratio = goal.scale / from.scale;
    const share = Math.abs(ratio - 1) < 1e-6 ? eased : (1 - from.scale / this.scale) / (1 - 1 / ratio);
    this.centre = { x: from.x + (goal.x - from.x) * share, y: from.y + (goal.y - from.y) * share };
    if (time < 1) this.redraw();
    else this.animation = null;
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.width) return;
    const context = this.canvas.getContext('2d', { alpha: false });
    context.globalCompositeOperation = 'source-over';
    context.fillStyle = SURROUNDINGS;
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.size) {
      this.animate();
      this.drawContent(context);
    }
    this.moved(this);
  }

  drawContent(context) {
    const { size, maxZoom, content, canvas, density } = this;
    const scale = this.scale * density;
    // Whole pixels of the screen, so that tiles meet without a gap.
    const left = Math.round(this.centre.x * scale - canvas.width / 2) / scale;
    const top = Math.round(this.centre.y * scale - canvas.height / 2) / scale;
    const { width, height } = canvas;
    const view = { left, top, right: left + width / scale, bottom: top + height / scale, scale, density, width, height };
    const toScreen = (x, y) => ({ x: Math.round((x - left) * scale), y: Math.round((y - top) * scale) });
    const [start, end] = [toScreen(0, 0), toScreen(size.width, size.height)];
    context.save();
    context.beginPath();
    context.rect(start.x, start.y, end.x - start.x, end.y - start.y);
    context.clip();
    context.fillStyle = '#000';
    context.fillRect(start.x, start.y, end.x - start.x, end.y - start.y);
    context.globalCompositeOperation = 'lighter';
    // Enlarged pixels are shown as what they are.
    context.imageSmoothingEnabled = scale < 2;
    this.images.draw(context, content.experiment, content.channels, view, toScreen);
    context.restore();
    this.outlines.draw(context, content.experiment, content.types, view, { maxZoom, size });
  }
}
