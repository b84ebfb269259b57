// Channels and outlines in the panel: visibility, colour, contrast; time point and focal plane.

import { byId, delayed, element } from './dom.js';

/** Colours of channels by their order; a single one is shown in grey. */
const CHANNEL_COLOURS = ['#3f7cff', '#37e07d', '#ff5050', '#ffc233', '#e35bff', '#2fd6e3'];
const OUTLINE_COLOURS = ['#ffd84d', '#ff7ad9', '#6ef2ff', '#b6ff6e', '#ff9d5c', '#c3a6ff'];
/** Types that every experiment with a map has. */
const STATIC_TYPES = ['Plates', 'Wells', 'Sites'];
/** How many channels are on at first. */
const SHOWN_AT_FIRST = 3;

/** Channels of the API as what is shown of them; `wishes` come from a link, or from before. */
export function channelsOf(bodies, wishes) {
  const withImages = bodies.filter((body) => body.layers.some((layer) => layer.image_size));
  return withImages.map((body, index) => {
    const layers = body.layers.filter((layer) => layer.image_size);
    const wish = wishes.get(body.id);
    const isAlone = withImages.length === 1;
    const channel = {
      id: body.id,
      name: body.name,
      largest: 2 ** body.bit_depth - 1,
      layers,
      layer: null,
      isVisible: wish?.isVisible ?? (wishes.size === 0 && index < SHOWN_AT_FIRST),
      colour: wish?.colour ?? (isAlone ? '#ffffff' : CHANNEL_COLOURS[index % CHANNEL_COLOURS.length]),
    };
    setLimits(channel, wish?.min === undefined ? suggestedLimits(channel, layers[0]) : wish);
    return channel;
  });
}

/** Types of objects of the API as what is shown of them. */
export function typesOf(bodies, wishes) {
  const isStatic = (body) => STATIC_TYPES.includes(body.name);
  const sorted = [...bodies].sort((a, b) => isStatic(a) - isStatic(b));
  return sorted
    .filter((body) => body.layers.length)
    .map((body, index) => {
      const wish = wishes.get(body.id);
      const colour = isStatic(body) ? '#9fb0c3' : OUTLINE_COLOURS[index % OUTLINE_COLOURS.length];
      return { id: body.id, name: body.name, layers: body.layers, layer: null, isVisible: wish?.isVisible ?? false, colour: wish?.colour ?? colour };
    });
}

/** The limits that the server found for a layer. */
function suggestedLimits({ largest }, layer) {
  const min = Math.min(layer.min_intensity, largest - 1);
  return { min, max: Math.min(largest, Math.max(layer.max_intensity, min + 1)) };
}

function setLimits(channel, { min, max }) {
  const upper = Math.min(channel.largest, Math.max(1, Math.round(max)));
  const lower = Math.min(upper - 1, Math.max(0, Math.round(min)));
  Object.assign(channel, { min: lower, max: upper, fetchMin: lower, fetchMax: upper });
}

/** Choose the layers of a time point and focal plane; those of objects that never change have neither. */
export function chooseLayers({ channels, types, tpoint, zplane }) {
  const fits = (wanted, value) => value === null || value === wanted;
  const choose = (thing) => {
    thing.layer = thing.layers.find((layer) => fits(tpoint, layer.tpoint) && fits(zplane, layer.zplane)) ?? null;
  };
  channels.forEach(choose);
  types.forEach(choose);
}

/** All values of a field of the layers of channels, in order. */
export function valuesOf(channels, field) {
  const values = channels.flatMap((channel) => channel.layers.map((layer) => layer[field]));
  return [...new Set(values)].sort((a, b) => a - b);
}

/** The lists of the panel; `changed` is called whenever something is to be drawn or linked anew. */
export function showLayers(scene, changed) {
  byId('channels').replaceChildren(...scene.channels.map((channel) => channelRow(channel, changed)));
  byId('no-channels').hidden = scene.channels.length > 0;
  byId('outlines').replaceChildren(...scene.types.map((type) => layerHead(type, `Outlines of ${type.name}`, changed)));
  byId('outlines-part').hidden = scene.types.length === 0;
  const dimensions = [['tpoint', 'Time point'], ['zplane', 'Focal plane']];
  const sliders = dimensions.map(([field, label]) => dimensionSlider(scene, field, label, changed));
  byId('dimensions').replaceChildren(...sliders.filter(Boolean));
}

/** Switch, name and colour of a layer. */
function layerHead(layer, label, changed) {
  const row = element('div', { class: 'layer-head' });
  const toggle = element('input', {
    type: 'checkbox',
    onchange: (event) => { layer.isVisible = event.target.checked; changed(); },
  });
  toggle.checked = layer.isVisible;
  const colour = element('input', {
    type: 'color',
    value: layer.colour,
    'aria-label': `Colour of ${label}`,
    title: 'Colour',
    oninput: (event) => { layer.colour = event.target.value; changed(); },
  });
  row.append(element('label', { title: layer.name }, toggle, element('span', {}, layer.name)), colour);
  return row;
}

function channelRow(channel, changed) {
  const row = element('li', { class: 'layer', 'data-channel': channel.name });
  const head = layerHead(channel, channel.name, () => { paint(); changed(); });
  // Data seldom fills its range: sliders end somewhat above what the server suggests.
  const suggested = suggestedLimits(channel, channel.layer ?? channel.layers[0]);
  const end = () => Math.min(channel.largest, Math.max(2 * suggested.max, channel.max));
  const settled = delayed(250, () => {
    Object.assign(channel, { fetchMin: channel.min, fetchMax: channel.max });
    changed();
  });
  const limit = (type, field, label) => {
    const input = element('input', {
      type, min: 0, step: 1, class: field, 'aria-label': `${label} of ${channel.name}`,
      [type === 'range' ? 'oninput' : 'onchange']: () => set(field, input.value),
    });
    return input;
  };
  const inputs = {
    min: [limit('range', 'min', 'Darkest value'), limit('number', 'min', 'Darkest value')],
    max: [limit('range', 'max', 'Brightest value'), limit('number', 'max', 'Brightest value')],
  };
  const range = element('div', { class: 'range' }, inputs.min[0], inputs.max[0]);

  function set(field, text) {
    const value = Math.round(Number(text));
    if (text !== '' && Number.isFinite(value)) {
      const [lowest, highest] = field === 'min' ? [0, channel.max - 1] : [channel.min + 1, channel.largest];
      channel[field] = Math.min(highest, Math.max(lowest, value));
    }
    paint();
    changed();
    settled();
  }

  function paint() {
    const last = end();
    for (const [field, fields] of Object.entries(inputs)) {
      for (const input of fields) {
        input.max = input.type === 'range' ? last : channel.largest;
        input.value = channel[field];
      }
    }
    // Where both thumbs are at the end, the lower one is the one that can be moved.
    inputs.min[0].style.zIndex = channel.min > last / 2 ? 1 : 0;
    range.style.setProperty('--from', channel.min / last);
    range.style.setProperty('--to', channel.max / last);
    range.style.setProperty('--colour', channel.colour);
    row.classList.toggle('off', !channel.isVisible);
  }

  const auto = element('button', {
    type: 'button', class: 'small', title: 'Contrast that suits the images',
    'aria-label': `Automatic contrast of ${channel.name}`,
    onclick: () => {
      setLimits(channel, suggestedLimits(channel, channel.layer ?? channel.layers[0]));
      paint();
      changed();
    },
  }, 'Auto');
  paint();
  row.append(head, range, element('div', { class: 'limits' }, inputs.min[1], auto, inputs.max[1]));
  return row;
}

/** A slider over time points or focal planes; nothing where there is only one. */
function dimensionSlider(scene, field, label, changed) {
  const values = valuesOf(scene.channels, field);
  if (values.length < 2) return null;
  const output = element('output', {}, String(scene[field]));
  const input = element('input', {
    type: 'range', min: 0, max: values.length - 1, step: 1, value: values.indexOf(scene[field]), 'data-dimension': field,
    oninput: () => {
      scene[field] = values[Number(input.value)];
      output.textContent = scene[field];
      input.setAttribute('aria-valuetext', `${label} ${scene[field]}`);
      chooseLayers(scene);
      changed();
    },
  });
  return element('label', { class: 'dimension' }, element('span', {}, label), input, output);
}
