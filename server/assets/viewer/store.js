// Tiles of any kind: those that are here, those on their way, and which to ask for next.

/** How long to leave a tile alone that could not be had, in ms. */
const RETRY_AFTER = 5000;

/**
 * Tiles by key. Each frame names the tiles it wants between `begin` and `end`: what is no longer wanted is
 * cancelled, the most urgent are fetched first, and those unused for longest leave when there are too many.
 */
export class TileStore {
  /**
   * @param load     `(request, signal)` to a promise of the tile
   * @param parallel how many to fetch at once
   * @param capacity how many to keep; tiles in view are kept whatever their number
   * @param changed  called when a tile has come
   * @param failed   called with the error when one has not
   */
  constructor({ load, parallel, capacity, changed, failed }) {
    Object.assign(this, { load, parallel, capacity, changed, failed });
    this.tiles = new Map();
    this.loading = new Map();
    this.wanted = new Map();
    this.resting = new Map();
    this.frame = 0;
  }

  begin() {
    this.frame += 1;
    this.wanted.clear();
  }

  /** The tile of a key, in whatever version it is here. */
  get(key) {
    const tile = this.tiles.get(key);
    if (tile && tile.frame !== this.frame) {
      tile.frame = this.frame;
      // The order of a map is the order of insertion: the front is unused for longest.
      this.tiles.delete(key);
      this.tiles.set(key, tile);
    }
    return tile;
  }

  has(key) {
    return this.tiles.has(key);
  }

  /** Ask for a version of a tile, unless it is here; the smallest rank comes first. */
  want(key, version, rank, request) {
    const tile = this.tiles.get(key);
    if (tile && tile.version === version && !tile.isStale) return;
    this.wanted.set(key, { key, version, rank, request });
  }

  end() {
    for (const [key, load] of this.loading) {
      if (this.wanted.get(key)?.version !== load.version) {
        load.abort.abort();
        this.loading.delete(key);
      }
    }
    this.fetchNext();
    for (const [key, tile] of this.tiles) {
      if (this.tiles.size <= this.capacity || tile.frame === this.frame) break;
      this.tiles.delete(key);
    }
  }

  /** How many tiles of the current view are still to come. */
  get missing() {
    const now = performance.now();
    return [...this.wanted.keys()].filter((key) => !(this.resting.get(key) > now)).length;
  }

  /** Whatever is here may look different by now: shown until it has come anew. */
  makeStale() {
    for (const tile of this.tiles.values()) tile.isStale = true;
    this.resting.clear();
  }

  clear() {
    for (const load of this.loading.values()) load.abort.abort();
    for (const part of [this.tiles, this.loading, this.wanted, this.resting]) part.clear();
  }

  fetchNext() {
    const now = performance.now();
    const isIdle = ({ key }) => !this.loading.has(key) && !(this.resting.get(key) > now);
    const next = [...this.wanted.values()].filter(isIdle).sort((a, b) => a.rank - b.rank);
    for (const wish of next.slice(0, Math.max(0, this.parallel - this.loading.size))) this.fetch(wish);
  }

  async fetch({ key, version, request }) {
    const load = { version, abort: new AbortController() };
    this.loading.set(key, load);
    const isCurrent = () => this.loading.get(key) === load;
    try {
      const value = await this.load(request, load.abort.signal);
      if (!isCurrent()) return;
      this.tiles.delete(key);
      this.tiles.set(key, { value, version, frame: this.frame, isStale: false });
      this.wanted.delete(key);
      this.resting.delete(key);
      this.changed();
    } catch (error) {
      if (!isCurrent() || error.name === 'AbortError') return;
      this.resting.set(key, performance.now() + RETRY_AFTER);
      setTimeout(this.changed, RETRY_AFTER + 50);
      this.failed(error);
    } finally {
      if (isCurrent()) {
        this.loading.delete(key);
        this.fetchNext();
      }
    }
  }
}
