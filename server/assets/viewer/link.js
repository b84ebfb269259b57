// The address of a view, kept behind the `#` of the page's own: what somebody sees can be sent to somebody else.

/**
 * `{experiment, tpoint, zplane, channels, outlines, place}` of an address; what it does not say is absent.
 * Channels are maps from id to `{isVisible, colour, min, max}`, outlines from id to `{isVisible, colour}`.
 */
export function readLink(hash) {
  const query = new URLSearchParams(hash.replace(/^#/, ''));
  const number = (text) => (text !== null && text !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined);
  const link = { experiment: query.get('e') ?? undefined, tpoint: number(query.get('t')), zplane: number(query.get('z')) };
  const [x, y, scale] = ['x', 'y', 's'].map((name) => number(query.get(name)));
  if (x !== undefined && y !== undefined && scale > 0) link.place = { x, y, scale };
  link.channels = readParts(query.getAll('c'), ([min, max]) => {
    const limits = { min: number(min ?? null), max: number(max ?? null) };
    return limits.min < limits.max ? limits : {};
  });
  link.outlines = readParts(query.getAll('o'), () => ({}));
  return link;
}

/** Each part is `<id>_<1 or 0>_<colour>_…`. */
function readParts(parts, readRest) {
  const found = new Map();
  for (const part of parts) {
    const [id, shown, colour, ...rest] = part.split('_');
    if (!/^[0-9a-f]{6}$/i.test(colour ?? '')) continue;
    found.set(id, { isVisible: shown === '1', colour: `#${colour.toLowerCase()}`, ...readRest(rest) });
  }
  return found;
}

/** The address of a view. */
export function writeLink({ experiment, tpoint, zplane, channels, types, place }) {
  const query = new URLSearchParams({ e: experiment });
  if (tpoint) query.set('t', tpoint);
  if (zplane) query.set('z', zplane);
  if (place) {
    query.set('x', place.x.toFixed(1));
    query.set('y', place.y.toFixed(1));
    query.set('s', Number(place.scale.toPrecision(5)));
  }
  const start = ({ id, isVisible, colour }) => `${id}_${isVisible ? 1 : 0}_${colour.slice(1)}`;
  for (const channel of channels) query.append('c', `${start(channel)}_${channel.min}_${channel.max}`);
  for (const type of types) if (type.isVisible) query.append('o', start(type));
  return `#${query}`;
}
