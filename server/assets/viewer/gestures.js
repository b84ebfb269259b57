// Mouse, touch and keyboard on the map.

const KEY_STEP = 96;
const KEY_ZOOM = 1.5;
/** Two taps closer than this, in ms, are a double tap. */
const DOUBLE_TAP = 300;

/** Moves a map as its canvas is dragged, pinched, scrolled over, double-clicked, or as keys are pressed. */
export class Gestures {
  constructor(map, canvas) {
    this.map = map;
    this.canvas = canvas;
    /** Pointers that are down, with their last position. */
    this.down = new Map();
    this.lastTap = null;
    this.isTouch = false;
    const listen = (name, method) => canvas.addEventListener(name, (event) => method.call(this, event), { passive: false });
    listen('pointerdown', this.press);
    listen('pointermove', this.drag);
    listen('pointerup', this.release);
    listen('pointercancel', this.release);
    listen('pointerleave', this.leave);
    listen('wheel', this.scroll);
    listen('dblclick', this.doubleClick);
    listen('keydown', this.type);
  }

  /** Where an event is on the canvas. */
  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** Middle and spread of the pointers that are down. */
  grip() {
    const [a, b = a] = this.down.values();
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, spread: Math.hypot(a.x - b.x, a.y - b.y) };
  }

  press(event) {
    if (event.button !== 0 || this.down.size === 2) return;
    this.isTouch = event.pointerType === 'touch';
    this.canvas.setPointerCapture(event.pointerId);
    const point = this.pointOf(event);
    this.down.set(event.pointerId, point);
    this.start = this.down.size === 1 ? { ...point, at: event.timeStamp } : null;
    this.canvas.classList.add('held');
  }

  drag(event) {
    const point = this.pointOf(event);
    if (!this.down.has(event.pointerId)) {
      this.point(point);
      return;
    }
    const before = this.grip();
    this.down.set(event.pointerId, point);
    const after = this.grip();
    this.map.pointer = event.pointerType === 'mouse' ? point : null;
    this.map.panBy(before.x - after.x, before.y - after.y);
    if (before.spread > 0 && after.spread > 0) this.map.zoomBy(after.spread / before.spread, after);
  }

  release(event) {
    if (!this.down.delete(event.pointerId)) return;
    if (!this.down.size) this.canvas.classList.remove('held');
    if (event.type === 'pointerup' && event.pointerType === 'touch') this.tap(event);
  }

  /** A double tap zooms. Some browsers send a double click for it and some do not, so both are looked at. */
  tap(event) {
    const point = this.pointOf(event);
    const isNear = (other) => other && Math.hypot(point.x - other.x, point.y - other.y) < 24;
    if (!isNear(this.start)) return;
    if (isNear(this.lastTap) && event.timeStamp - this.lastTap.at < DOUBLE_TAP) {
      this.map.zoomBy(2, point, true);
      this.lastTap = null;
    } else {
      this.lastTap = { ...point, at: event.timeStamp };
    }
  }

  leave() {
    this.point(null);
  }

  /** Nothing is to be drawn for a pointer that only moves: it is read out. */
  point(point) {
    this.map.pointer = point;
    this.map.moved(this.map);
  }

  scroll(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const pages = event.deltaMode === WheelEvent.DOM_DELTA_PAGE ? this.map.height : 1;
    // Browsers report the pinch of a touchpad as a wheel with small steps and the control key.
    const speed = event.ctrlKey ? 0.01 : 0.0018;
    const steps = Math.min(240, Math.max(-240, event.deltaY * lines * pages));
    this.map.zoomBy(Math.exp(-steps * speed), this.pointOf(event));
  }

  doubleClick(event) {
    event.preventDefault();
    if (this.isTouch) return;
    this.map.zoomBy(event.shiftKey ? 0.5 : 2, this.pointOf(event), true);
  }

  type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { map } = this;
    const step = event.shiftKey ? 3 * KEY_STEP : KEY_STEP;
    const actions = {
      ArrowLeft: () => map.panBy(-step, 0, true),
      ArrowRight: () => map.panBy(step, 0, true),
      ArrowUp: () => map.panBy(0, -step, true),
      ArrowDown: () => map.panBy(0, step, true),
      '+': () => map.zoomBy(KEY_ZOOM, null, true),
      '=': () => map.zoomBy(KEY_ZOOM, null, true),
      '-': () => map.zoomBy(1 / KEY_ZOOM, null, true),
      _: () => map.zoomBy(1 / KEY_ZOOM, null, true),
      0: () => map.fit(),
      1: () => map.moveTo(map.centre, 1),
    };
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }
}
